"""Our chart, rendered and held to the schemas of Kubernetes, and values for Prefect's charts."""

from __future__ import annotations

import importlib
import platform
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_phantom.adapters.settings import Settings
from tests.deployments.variables import refused, unknown

METADATA = (
    *("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200"),
    *("fd00:ec2::254", "fd20:ce::254"),
)
VERSIONS = ("1.28", "1.31", "1.34", "1.37")
Manifests = dict[tuple[str, str], dict[str, Any]]

CASES: dict[str, list[str]] = {
    "as it comes": [],
    "one gateway with a certificate": ["replicas=1", "tls.secretName=soar-tls"],
    "behind an ingress": [
        *("ingress.enabled=true", "ingress.className=nginx", "ingress.tlsSecretName=soar-tls"),
        *("service.type=ClusterIP", "networkPolicy.callers[0].podSelector.matchLabels.a=b"),
    ],
    "with everything else": [
        *("image.tag=v7", "baseUrl=https://soar.example"),
        *("image.pullSecrets[0]=registry", "settings.KEEP_RUN_DAYS=90", "settings.METRICS=false"),
        *("env[0].name=OTEL_SERVICE_NAME", "env[0].value=soar", "podAnnotations.a=b"),
        *("nodeSelector.a=b", "tolerations[0].key=a", "tolerations[0].operator=Exists"),
        *("adminPasswordSecret.name=", "networkPolicy.enabled=false", "service.annotations.a=b"),
    ],
}


@pytest.fixture
def tools(tools: Path) -> Path:
    if platform.machine() != "x86_64":
        pytest.skip("the Helm that is installed is one for x86_64")
    return tools


@pytest.fixture
def chart(deployments: Path) -> Path:
    return deployments / "helm" / "prefect-phantom"


def helm(tools: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tools / "bin" / "helm", *arguments], check=False, capture_output=True, text=True
    )


def render(tools: Path, chart: Path, values: list[str]) -> Manifests:
    sets = [word for value in values for word in ("--set", value)]
    done = helm(tools, "template", "soar", chart, "--namespace", "prefect", *sets)
    assert done.returncode == 0, done.stderr
    manifests = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


def container(manifests: Manifests) -> dict[str, Any]:
    pod = manifests["Deployment", "soar-prefect-phantom"]["spec"]["template"]["spec"]
    found: dict[str, Any] = pod["containers"][0]
    return found


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_kubernetes_knows_every_field_that_is_rendered(
    tools: Path, chart: Path, values: list[str]
) -> None:
    kubernetes = importlib.import_module("kubernetes_validate")
    manifests = render(tools, chart, values)
    for manifest in manifests.values():
        for version in VERSIONS:
            kubernetes.validate(manifest, version, strict=True)
    broken = manifests["Deployment", "soar-prefect-phantom"]
    broken["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "x"
    with pytest.raises(kubernetes.ValidationError, match="imagePolicy"):
        kubernetes.validate(broken, VERSIONS[0], strict=True)


def test_every_variable_is_read_by_somebody_and_has_a_value_that_is_taken(
    tools: Path, chart: Path
) -> None:
    environments = {}
    for case, values in CASES.items():
        variables = container(render(tools, chart, values))["env"]
        names = [each["name"] for each in variables]
        assert unknown(name for name in names if not name.startswith("OTEL_")) == []
        assert len(names) == len(set(names))
        environments[case] = {e["name"]: e["value"] for e in variables if "value" in e}
    assert refused(environments) == {}


def test_secrets_are_referred_to_and_the_runtime_api_is_for_those_who_are_marked(
    tools: Path, chart: Path, deployments: Path
) -> None:
    manifests = render(tools, chart, [])
    variables = {each["name"]: each for each in container(manifests)["env"]}
    for name in ("DATABASE_URL", "RUNTIME_KEY", "ADMIN_PASSWORD"):
        assert "secretKeyRef" in variables[f"PREFECT_PHANTOM_{name}"]["valueFrom"]
    assert "secretKeyRef" in variables["PREFECT_API_AUTH_STRING"]["valueFrom"]
    url = variables["PREFECT_PHANTOM_RUNTIME_URL"]["value"]
    assert url == "http://soar-prefect-phantom-runtime.prefect.svc:8444"
    served = {each["name"]: each["containerPort"] for each in container(manifests)["ports"]}
    reached = manifests["Service", "soar-prefect-phantom-runtime"]["spec"]["ports"]
    assert {each["targetPort"]: each["port"] for each in reached} == {
        # Guardians ask for leases at the same port of the same host.
        name: served[name]
        for name in ("runtime", "leases")
    }
    assert served["leases"] == Settings().lease_port
    policy = manifests["NetworkPolicy", "soar-prefect-phantom"]["spec"]
    rules = policy["ingress"]
    marks = [
        each["podSelector"]["matchLabels"]
        for rule in rules
        for each in rule.get("from", [])
        if rule["ports"] == [{"port": "runtime"}, {"port": "leases"}]
    ]
    worker = yaml.safe_load((deployments / "helm" / "prefect-worker.yaml").read_text())["worker"]
    assert marks == [worker["podLabels"]]
    runs = manifests["NetworkPolicy", "soar-prefect-phantom-runs"]["spec"]
    assert runs["podSelector"]["matchLabels"] == worker["podLabels"]
    assert runs["ingress"] == []


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_no_rule_of_the_network_is_open_to_every_namespace(
    tools: Path, chart: Path, values: list[str]
) -> None:
    manifests = render(tools, chart, values)
    policies = [each["spec"] for (kind, _), each in manifests.items() if kind == "NetworkPolicy"]
    assert len(policies) == (0 if "networkPolicy.enabled=false" in values else 2)
    for policy in policies:
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert policy["egress"]
        for rule in policy["egress"]:
            assert rule["to"]
        peers = [
            peer
            for rule in [*policy["ingress"], *policy["egress"]]
            for peer in [*rule.get("from", []), *rule.get("to", [])]
        ]
        assert peers
        for peer in peers:
            assert peer.get("namespaceSelector", {"named": True}) != {}
            assert peer.get("podSelector", {"named": True}) != {}


def test_each_is_reached_at_the_port_of_its_pods_alone(tools: Path, chart: Path) -> None:
    others = ["dnsPort=5353", "prefectPort=8080", "databasePort=6432"]
    for values, wanted in ([], [53, 53, 4200, 5432]), (others, [5353, 5353, 8080, 6432]):
        manifests = render(
            tools,
            chart,
            # A Service translates its port, which a policy never sees.
            ["prefect.apiUrl=http://prefect/api", *(f"networkPolicy.{each}" for each in values)],
        )
        for name, ports in (("", wanted), ("-runs", wanted[:3])):
            policy = manifests["NetworkPolicy", f"soar-prefect-phantom{name}"]["spec"]
            found = [each["port"] for rule in policy["egress"] for each in rule.get("ports", [])]
            assert [port for port in found if port not in {"runtime", "leases"}] == ports


@pytest.mark.attack(
    "a playbook in a cluster that asks the cloud for the credentials of its machine",
    "no policy lets it out to those addresses, of any of four clouds",
)
def test_playbooks_do_not_reach_what_clouds_tell_a_machine(tools: Path, chart: Path) -> None:
    manifests = render(tools, chart, [])
    rules = manifests["NetworkPolicy", "soar-prefect-phantom-runs"]["spec"]["egress"]
    blocks = [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]
    for text in METADATA:
        address = ip_address(text)
        for block in blocks:
            if address in ip_network(block["cidr"]):
                assert any(address in ip_network(each) for each in block["except"]), text


TLS = "ingress.enabled=true", "ingress.tlsSecretName=soar-tls"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([], "false"),
        (["ingress.enabled=true"], "false"),
        ([*TLS], "true"),
        (["clearText=true"], "true"),
        (["tls.secretName=soar-tls"], None),
    ],
)
def test_clear_text_is_wanted_where_something_with_tls_is_before_the_gateway(
    tools: Path, chart: Path, values: list[str], wanted: str | None
) -> None:
    variables = {each["name"]: each for each in container(render(tools, chart, values))["env"]}
    assert variables.get("PREFECT_PHANTOM_CLEAR_TEXT", {}).get("value") == wanted


def test_an_ingress_is_a_trusted_proxy_or_the_notes_say_that_it_must_be(
    tools: Path, chart: Path
) -> None:
    networks = "ingress.trustedProxies={10.244.0.0/16,fd00::/8}"
    variables = container(render(tools, chart, [*TLS, networks]))["env"]
    given = {each["name"]: each.get("value") for each in variables}
    assert given["PREFECT_PHANTOM_TRUSTED_PROXIES"] == "10.244.0.0/16,fd00::/8"
    assert "Set ingress.trustedProxies" in notes(tools, chart, [*TLS])
    assert "Set ingress.trustedProxies" not in notes(tools, chart, [*TLS, networks])
    assert "It does not start" in notes(tools, chart, [])
    assert "It does not start" not in notes(tools, chart, [*TLS])


def notes(tools: Path, chart: Path, values: list[str]) -> str:
    """What Helm tells who installs it."""
    sets = [word for value in values for word in ("--set", value)]
    done = helm(tools, "install", "soar", chart, "--dry-run=client", *sets)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:")[2]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("replica=3", "replica"),
        ("replicas=some", "replicas"),
        ("prefect.apiUrl=prefect:4200", "apiUrl"),
        ("settings.keep=1", "keep"),
        ("databaseSecret.key=", "key"),
        ("baseUrl=soar.example", "baseUrl"),
        ("networkPolicy.workers=", "workers"),
        ("networkPolicy.database=", "database"),
    ],
)
def test_values_that_mean_nothing_are_refused(
    tools: Path, chart: Path, value: str, sentence: str
) -> None:
    done = helm(tools, "template", "soar", chart, "--set", value)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_helm_has_nothing_to_say_against_the_chart(tools: Path, chart: Path) -> None:
    done = helm(tools, "lint", "--strict", chart)
    assert done.returncode == 0, done.stdout


def test_variables_for_prefects_own_charts_are_read_by_somebody(deployments: Path) -> None:
    server, worker = (
        yaml.safe_load((deployments / "helm" / f"prefect-{name}.yaml").read_text())
        for name in ("server", "worker")
    )
    given = {
        "server": server["global"]["prefect"]["env"],
        "worker": worker["worker"]["extraEnvVars"],
    }
    assert unknown(each["name"] for variables in given.values() for each in variables) == []
    plain = {
        name: {each["name"]: each["value"] for each in variables if "value" in each}
        for name, variables in given.items()
    }
    assert refused(plain) == {}


def test_one_image_and_one_version_everywhere(chart: Path, deployments: Path) -> None:
    ours = yaml.safe_load((chart / "values.yaml").read_text())["image"]["repository"]
    version = yaml.safe_load((chart / "Chart.yaml").read_text())["appVersion"]
    server, worker = (
        yaml.safe_load((deployments / "helm" / f"prefect-{name}.yaml").read_text())
        for name in ("server", "worker")
    )
    for image in (server["global"]["prefect"]["image"], worker["worker"]["image"]):
        assert (image["repository"], image["prefectTag"]) == (ours, version)
