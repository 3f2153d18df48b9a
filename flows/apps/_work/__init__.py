"""Work of apps that nothing but the end of its process interrupts.

Each module imports nothing of ours: the process that carries it out must start quickly, see
`prefect_phantom.apps._work.killable`. What goes in and comes out is JSON.
"""
