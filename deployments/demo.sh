#!/usr/bin/env bash
# `make demo`: the three calls of Splunk Phantom's "REST Run Playbook" page, on a fresh system.
#
#   1. start a playbook          POST /rest/playbook_run
#   2. look at its run           GET  /rest/playbook_run/<id>
#   3. cancel a run              POST /rest/playbook_run/<id>   {"cancel": true}
#
# Each curl line is printed, then run as printed, then its answer is shown and checked. Everything
# lives in a temporary folder, on free ports of 127.0.0.1, and is gone at the end. The exit code is
# 0 when every expectation held.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PROGRAMS=${1:-.venv/bin}  # folder of the environment that is tried
readonly PYTHON=$PROGRAMS/python
readonly USER_AND_PASSWORD=admin:changeme
readonly START_SECONDS=120  # for all parts to be ready
readonly RUN_SECONDS=60     # for one run to get on

# What this shell has set for another Prefect, or for a proxy, has no part in the demo.
unset "${!PREFECT_@}"
export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1

folder=$(mktemp -d)
system=  # process id of `prefect-phantom up`
answer=  # of the last call

# --- words -----------------------------------------------------------------------------------

bold='' green='' blue='' red='' plain=''
[[ ! -t 1 ]] || bold=$'\e[1m' green=$'\e[32m' blue=$'\e[36m' red=$'\e[31m' plain=$'\e[0m'

heading() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }

expectation() { printf '%sok%s  %s\n' "$green" "$plain" "$1"; }

fail() {
    printf '\n%sdemo failed:%s %s\n' "$red" "$plain" "$1" >&2
    exit 1
}

# The command as one would type it: arguments with other than plain characters in quotes.
typed() {
    local argument line=
    for argument in "$@"; do
        [[ $argument =~ ^[A-Za-z0-9_./:@=-]+$ ]] || argument="'$argument'"
        line+=" $argument"
    done
    printf '\n%s$%s%s\n' "$blue" "$line" "$plain"
}

# --- calls -----------------------------------------------------------------------------------

# Runs the line without curl's progress bar, and keeps its answer.
ask() { answer=$("$1" --silent --show-error "${@:2}") || fail "no answer from the gateway"; }

show() { "$PYTHON" -m json.tool --no-ensure-ascii <<<"$answer" || fail "not JSON: $answer"; }

call() {
    typed "$@"
    ask "$@"
    show
}

# Prints what a Python expression makes of the last answer, which it finds as `answer`.
value() {
    "$PYTHON" -c '
import json, sys
answer = json.loads(sys.argv[1])
found = eval(sys.argv[2])
print("" if found is None else found)
' "$answer" "$1" || fail "unexpected answer: $answer"
}

# Repeats a status call, printed once, while a Python expression about its answer is true.
call_while() {
    local condition=$1 deadline=$((SECONDS + RUN_SECONDS))
    shift
    typed "$@"
    ask "$@"
    while [[ $(value "$condition") == True ]]; do
        ((SECONDS < deadline)) || fail "after $RUN_SECONDS seconds still: $answer"
        sleep 0.3
        ask "$@"
    done
    show
}

expect() { # EXPRESSION SENTENCE
    [[ $(value "bool($1)") == True ]] || fail "this does not hold: $2"
    expectation "$2"
}

# --- the system ------------------------------------------------------------------------------

start_system() {
    # It reads a pipe that only this shell holds open, and so ends with it, whatever this dies of.
    mkfifo "$folder/output" "$folder/parent"
    exec 4<>"$folder/parent" 5<"$folder/parent"
    PREFECT_PHANTOM_PARENT_PIPES=5,5,5 \
    PREFECT_PHANTOM_RUNTIME_PORT=0 PREFECT_PHANTOM_ADMIN_PASSWORD=${USER_AND_PASSWORD#*:} \
        "$PROGRAMS/prefect-phantom" up --home "$folder/home" --port 0 --prefect-port 0 --sample-data \
        >"$folder/output" </dev/null 4>&- &
    system=$!
    exec 5<&-

    # Reading waits for the next line, and ends when the program does.
    exec 3<"$folder/output"
    local line='' deadline=$((SECONDS + START_SECONDS)) problem=0
    until [[ $line == ready:* ]]; do
        read -r -t $((deadline > SECONDS ? deadline - SECONDS : 1)) line <&3 || problem=$?
        ((problem <= 128)) || fail "prefect-phantom was not ready after $START_SECONDS seconds"
        ((problem == 0)) || fail "prefect-phantom ended before it was ready"
        echo "$line"
    done
    url=${line#ready: }
}

stop_system() {
    [[ -n $system ]] || return 0
    kill -TERM "$system" 2>/dev/null || true
    wait "$system" || true
    system=
}

clean_up() {
    local code=$?
    trap '' HUP INT QUIT PIPE TERM
    stop_system
    if ((code != 0)) && [[ -d $folder/home/logs ]]; then
        printf '\nThe last lines of each log:\n' >&2
        tail -n 15 "$folder"/home/logs/* >&2 || true
    fi
    rm -rf "$folder"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap 'exit 131' QUIT
trap 'exit 141' PIPE

# --- the demo --------------------------------------------------------------------------------

heading "Start PostgreSQL, Prefect, gateway and worker, with sample data"
start_system

heading "1. Start the playbook my_playbook on container 42"
call curl -k -u $USER_AND_PASSWORD "$url/rest/playbook_run" \
    -d '{"container_id": 42, "playbook_id": "my_playbook", "scope": "new", "run": true}'
expect 'answer["received"] is True' "the gateway has received it"
expect 'isinstance(answer["playbook_run_id"], str)' "the id of the run is a string of digits"
run=$(value 'answer["playbook_run_id"]')

heading "2. Look at its run until it has ended"
call_while 'answer["status"] == "running"' \
    curl -k -u $USER_AND_PASSWORD "$url/rest/playbook_run/$run" -G -X GET
finished=$answer

heading "   The field message of this run, decoded"
answer=$(value 'answer["message"]')
show
actions='{action["action"] for action in answer["result"] if action["status"] == "success"}'
expect "$actions >= {'whois ip', 'whois domain'}" "whois ip and whois domain succeeded"
answer=$finished
expect 'answer["status"] == "success"' "the run ended in success"

heading "3. Cancel a run: first one that would take a minute"
call curl -k -u $USER_AND_PASSWORD "$url/rest/playbook_run" \
    -d '{"container_id": 42, "playbook_id": "examples/wait", "inputs": {"seconds": 60}, "run": true}'
run=$(value 'answer["playbook_run_id"]')

heading "   Wait until it has a process"
call_while 'answer["status"] == "running" and not answer["misc"].get("process_id")' \
    curl -k -u $USER_AND_PASSWORD "$url/rest/playbook_run/$run" -G -X GET
expect 'answer["status"] == "running"' "it is running"
process=$(value 'answer["misc"]["process_id"]')
kill -0 "$process" || fail "there is no process $process"
expectation "process $process is alive"

heading "   Cancel it"
call curl -k -u $USER_AND_PASSWORD "$url/rest/playbook_run/$run" -d '{"cancel": true}'
expect 'answer["cancelled"] is True' "the gateway has accepted the cancel"

heading "   Look at it until it has ended"
call_while 'answer["status"] == "running"' \
    curl -k -u $USER_AND_PASSWORD "$url/rest/playbook_run/$run" -G -X GET
expect 'answer["status"] == "failed"' "a cancelled run ends failed"
expect 'answer["cancelled"]' "its field cancelled says why: $(value 'answer["cancelled"]')"
! kill -0 "$process" 2>/dev/null || fail "process $process is still there"
expectation "process $process is gone"

heading "Stop everything"
stop_system
printf '\nAll of it held, in %d seconds.\n' "$SECONDS"
