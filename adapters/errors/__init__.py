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
    │   ├── DecidedListExists  AssetExists  SecretSetting  BadSecret
    │   ├── SecretsMoved
    │   ├── RoleExists  RoleIsShipped  RoleInUse  LastAdministrator
    │   ├── UnknownField  UnknownLookup  BadFilter  BadPattern  BadQuery  TooCostly
    │   ├── DuplicateContainer  DuplicateArtifact
    │   └── AlreadyFinished  RunsRefer
    ├── KeyReused                an Idempotency-Key came with two different requests
    ├── NameNotHeld              who speaks as a worker is another one (runtime API only)
    ├── NameTaken                a second worker of one name (runtime API only)
    ├── Unavailable              the database does not answer
    │   ├── PrefectUnavailable  AppsUnknown  PlaybookStays   nor Prefect, where it is needed
    │   └── BodyNotRead          nor the process for large bodies
    └── Superseded               a stale or refused attempt of a run (runtime API only)
        └── OtherFlowRun         it asks for a run that is another flow run's

The base classes carry no status code: `adapters.rest.failures` maps them, so that the store can
raise them without knowing HTTP.
"""

from __future__ import annotations

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
    "BadBody",
    "BadField",
    "BadFilter",
    "BadPattern",
    "BadQuery",
    "BadSecret",
    "BodyNotRead",
    "BodyTooLarge",
    "DecidedListExists",
    "DuplicateArtifact",
    "DuplicateContainer",
    "EndpointNotFound",
    "FieldMissing",
    "ForbiddenAddress",
    "ForeignFlowRun",
    "ForeignOrigin",
    "HeadTooLarge",
    "Invalid",
    "KeyReused",
    "LastAdministrator",
    "MethodNotAllowed",
    "NameNotHeld",
    "NameTaken",
    "NoSuchPage",
    "NoneWorked",
    "NotFound",
    "NotReady",
    "NotRequested",
    "NotUpdatable",
    "NothingToChange",
    "OtherFlowRun",
    "PermissionMissing",
    "PhantomError",
    "PlaybookStays",
    "PrefectUnavailable",
    "Refused",
    "RequestTooSlow",
    "RoleExists",
    "RoleInUse",
    "RoleIsShipped",
    "RunsRefer",
    "SecretSetting",
    "SecretsMoved",
    "Superseded",
    "Thing",
    "TokenOnDelete",
    "TooCostly",
    "TooMany",
    "Unauthenticated",
    "Unavailable",
    "UnknownField",
    "UnknownHost",
    "UnknownLabel",
    "UnknownLookup",
    "UnknownOwner",
    "UserExists",
    "WrongInputs",
]
