"""What a driver may use: a file for each header of include/linux, functions with Linux's names.

A driver imports from here, from `simkernel.uapi`, and the `registers` of its device; from nowhere else.
A file offers the functions that it defines and the names that it imports as themselves (`X as X`).
Since one process may run several machines, nothing here is global: a function takes `this`, which
the module's `init` was given (THIS_MODULE), a device, or an object that was made with one of them.

What may sleep is awaited.  Time is an int of nanoseconds unless a name says otherwise.  Errors are
OSErrors with Linux's numbers: `raise os_error(EINVAL)`, from `simkernel.uapi.errno`.
"""
