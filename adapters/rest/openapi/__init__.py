"""The published description of the contract: ``/openapi.json``, and ``/docs`` to read and try it.

It is made from the routes and from what the store declares as a resource. What neither tells, the
body of a request and the form of an answer, handlers declare beside themselves, by `operation`.
"""
