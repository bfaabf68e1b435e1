"""The functions that a driver can use: one file for each header of include/linux, with Linux's names.

A driver imports only from here, from `simkernel.uapi`, and the `registers` of its device. A file exports
the functions that it defines and the names that it imports as themselves (`X as X`). One process can run
several machines, so nothing here is global. Each function takes `this` (THIS_MODULE), which the module's
`init` receives, a device, or an object that was created with one of them. A function that can sleep is
awaited. Times are integers in nanoseconds unless the name states another unit. Errors are OSErrors with
Linux's numbers: `raise os_error(EINVAL)`, from `simkernel.uapi.errno`.
"""
