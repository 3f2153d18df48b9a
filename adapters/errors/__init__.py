"""Every error a caller can see, drawn once; the sentence is built here and nowhere else.

::

    PhantomError
    ├── Unauthenticated          no or wrong credentials
    ├── Refused                  known caller, not allowed
    │   ├── PermissionMissing  TokenOnDelete
    │   └── ForeignOrigin  ForbiddenAddress  ForeignFlowRun  UnknownHost
    ├── NotFound                 no thing has this id or name
    ├── EndpointNotFound         no resource lives at this path
    ├── MethodNotAllowed
    ├── BodyTooLarge
    ├── HeadTooLarge  RequestTooSlow
    ├── TooMany                  too many requests, or failed logins, from here
    ├── Invalid                  the request cannot be carried out as it was sent
    │   ├── BadBody  FieldMissing  BadField  NotRequested  NotUpdatable
    │   ├── NothingToChange  NoneWorked  WrongInputs
    │   ├── UnknownLabel  UnknownOwner  NoSuchPage  UserExists
    │   ├── DecidedListExists  DecidedListTooLarge  AssetExists  SecretSetting  BadSecret
    │   ├── SecretsMoved
    │   ├── RoleExists  RoleIsShipped  RoleInUse  LastAdministrator
    │   ├── UnknownField  UnknownLookup  BadFilter  BadPattern  BadQuery  TooCostly
    │   ├── DuplicateContainer  DuplicateArtifact
    │   ├── PasswordLength  WeakPassword  PasswordOfAutomation
    │   ├── TokenOfPerson  TokenOfDisabled  TokenTaken
    │   ├── PlaybookDisabled  PlaybookPresent  PlaybookJustGone  BadPlaybookId  PlaybookIdTaken
    │   ├── ForeignArtifact  TooManyContainers
    │   ├── ForeignStartKey  AssetNotFound  NoAssets
    │   └── AlreadyFinished  RunsRefer
    ├── KeyReused                an Idempotency-Key came with two different requests
    ├── NameNotHeld              who speaks as a worker is another one (runtime API only)
    ├── NameTaken                a second worker of one name (runtime API only)
    ├── Unavailable              the database does not answer
    │   ├── PrefectUnavailable  AppsUnknown  PlaybookStays   nor Prefect, where it is needed
    │   ├── BodyNotRead          nor the process for large bodies
    │   └── NotReady             the answer is not known yet (runtime API only)
    │       └── ClaimedTwice  RunHandedOver  FlowRunUnknown
    └── Superseded               a stale or refused attempt of a run (runtime API only)
        ├── RunEnded  RunCancelled  RunRemoved  RunUnknown  RunElsewhere  OtherCode  AttemptStale
        └── OtherFlowRun         it asks for a run that is another flow run's

The base classes carry no status code: `adapters.rest.failures` maps them, so that the store can
raise them without knowing HTTP.
"""

from __future__ import annotations

from prefect_phantom.adapters.errors.account import (
    PasswordLength,
    PasswordOfAutomation,
    TokenOfDisabled,
    TokenOfPerson,
    TokenTaken,
    WeakPassword,
)
from prefect_phantom.adapters.errors.action_run import AssetNotFound, ForeignStartKey, NoAssets
from prefect_phantom.adapters.errors.attempt import (
    AttemptStale,
    ClaimedTwice,
    FlowRunUnknown,
    OtherCode,
    RunCancelled,
    RunElsewhere,
    RunEnded,
    RunHandedOver,
    RunRemoved,
    RunUnknown,
)
from prefect_phantom.adapters.errors.caller import (
    ForbiddenAddress,
    ForeignFlowRun,
    ForeignOrigin,
    PermissionMissing,
    Refused,
    TokenOnDelete,
    TooMany,
    Unauthenticated,
    UnknownHost,
)
from prefect_phantom.adapters.errors.not_found import (
    EndpointNotFound,
    MethodNotAllowed,
    NotFound,
    Thing,
)
from prefect_phantom.adapters.errors.playbook import (
    BadPlaybookId,
    ForeignArtifact,
    PlaybookDisabled,
    PlaybookIdTaken,
    PlaybookJustGone,
    PlaybookPresent,
    TooManyContainers,
)
from prefect_phantom.adapters.errors.query import (
    BadFilter,
    BadPattern,
    BadQuery,
    NoSuchPage,
    TooCostly,
    UnknownField,
    UnknownLookup,
)
from prefect_phantom.adapters.errors.request import (
    AssetExists,
    BadBody,
    BadField,
    BadSecret,
    BodyTooLarge,
    DecidedListExists,
    DecidedListTooLarge,
    DuplicateArtifact,
    DuplicateContainer,
    FieldMissing,
    HeadTooLarge,
    Invalid,
    LastAdministrator,
    NoneWorked,
    NothingToChange,
    NotRequested,
    NotUpdatable,
    RequestTooSlow,
    RoleExists,
    RoleInUse,
    RoleIsShipped,
    SecretSetting,
    SecretsMoved,
    UnknownLabel,
    UnknownOwner,
    UserExists,
    WrongInputs,
)
from prefect_phantom.adapters.errors.root import PhantomError
from prefect_phantom.adapters.errors.state import (
    AlreadyFinished,
    AppsUnknown,
    BodyNotRead,
    KeyReused,
    NameNotHeld,
    NameTaken,
    NotReady,
    OtherFlowRun,
    PlaybookStays,
    PrefectUnavailable,
    RunsRefer,
    Superseded,
    Unavailable,
)

__all__ = [
    "AlreadyFinished",
    "AppsUnknown",
    "AssetExists",
    "AssetNotFound",
    "AttemptStale",
    "BadBody",
    "BadField",
    "BadFilter",
    "BadPattern",
    "BadPlaybookId",
    "BadQuery",
    "BadSecret",
    "BodyNotRead",
    "BodyTooLarge",
    "ClaimedTwice",
    "DecidedListExists",
    "DecidedListTooLarge",
    "DuplicateArtifact",
    "DuplicateContainer",
    "EndpointNotFound",
    "FieldMissing",
    "FlowRunUnknown",
    "ForbiddenAddress",
    "ForeignArtifact",
    "ForeignFlowRun",
    "ForeignOrigin",
    "ForeignStartKey",
    "HeadTooLarge",
    "Invalid",
    "KeyReused",
    "LastAdministrator",
    "MethodNotAllowed",
    "NameNotHeld",
    "NameTaken",
    "NoAssets",
    "NoSuchPage",
    "NoneWorked",
    "NotFound",
    "NotReady",
    "NotRequested",
    "NotUpdatable",
    "NothingToChange",
    "OtherCode",
    "OtherFlowRun",
    "PasswordLength",
    "PasswordOfAutomation",
    "PermissionMissing",
    "PhantomError",
    "PlaybookDisabled",
    "PlaybookIdTaken",
    "PlaybookJustGone",
    "PlaybookPresent",
    "PlaybookStays",
    "PrefectUnavailable",
    "Refused",
    "RequestTooSlow",
    "RoleExists",
    "RoleInUse",
    "RoleIsShipped",
    "RunCancelled",
    "RunElsewhere",
    "RunEnded",
    "RunHandedOver",
    "RunRemoved",
    "RunUnknown",
    "RunsRefer",
    "SecretSetting",
    "SecretsMoved",
    "Superseded",
    "Thing",
    "TokenOfDisabled",
    "TokenOfPerson",
    "TokenOnDelete",
    "TokenTaken",
    "TooCostly",
    "TooMany",
    "TooManyContainers",
    "Unauthenticated",
    "Unavailable",
    "UnknownField",
    "UnknownHost",
    "UnknownLabel",
    "UnknownLookup",
    "UnknownOwner",
    "UserExists",
    "WeakPassword",
    "WrongInputs",
]
