"""simkernel compared with alternative tools, which are measured with the same small test.

    python -m simkernel.tools.comparison [--only ROW] [--json]

The test (experiment.py): a client requests nlctrl's family, receives the uevent of a device, and accesses
the device five times. The device is unplugged at step 3. The columns:

    answered by        the code behind the netlink sockets and the device
    needs root?        "no" if the test passes as an ordinary user, "yes" if it passes only as root. Root
                       measures as uid 65534 first; "not tested" if that user cannot run this Python
    first green test   seconds from the start of the command to its exit, in new processes; the best of the
                       runs. The installation of the tool is not included
    fresh machines     number of times per second that the test passes on a new machine: within one process if
    a second           the tool supports it (the best of the runs), otherwise with one command after another
    same run twice?    "yes" if two runs in new processes have equal replies and equal readings of the
                       client's clock, "answers only" if the clock differs, "no" if a reply differs
    unplug at step 3?  "yes" if the test passes: the device is present at steps 1 and 2, the client receives
                       `remove`, and the device is absent at steps 3 to 5; then the kinds of devices

If a tool is not installed or does not run here, its row says so. On a host with other load, run the
command under `chrt -f 1` as root; otherwise the load distorts the figures.

Quoted, not measured:

* unshare -rn: uevents of other devices do not arrive: "Restrict uevents to initial user namespace" (Linux,
  lib/kobject_uevent.c, uevent_net_init()).
* user-mode-linux: "You can run a usermode kernel as a non-root user"; "there is not a single real device in
  sight" (Linux, Documentation/virt/uml/user_mode_linux_howto_v2.rst).
* virtme-ng: device_del "merely requests that the guest begin the hot removal process" (QEMU, qapi/qdev.json).
  A run that was recorded with -icount can be repeated: it "deterministically replays whole system execution"
  (QEMU, docs/system/replay.rst).
"""
