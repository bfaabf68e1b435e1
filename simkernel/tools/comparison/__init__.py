"""simkernel beside the tools that a user would otherwise pick, each measured with the same small test.

    python -m simkernel.tools.comparison [--only ROW] [--json]

The test (experiment.py): a client asks nlctrl for its family, hears the uevent of a device, looks at the
device five times, and the device is unplugged at step 3. The columns:

    who answers        the code behind the netlink sockets and the device
    needs root?        "no" if the test passes as an ordinary user, "yes" if only root passes it. Root
                       measures as uid 65534 first; "not tested" if that user cannot run this Python
    first green test   seconds from starting the command to its end, in fresh processes, the best of the runs.
                       Installing the tool is not included
    fresh machines     how often a second the test passes on a fresh machine: within one process if the tool
    a second           can do that (the best of the runs), otherwise one command after another
    same run twice?    "yes" if two runs in fresh processes have equal answers and equal readings of the
                       client's clock, "answers only" if the clock differs, "no" if an answer differs
    unplug at step 3?  "yes" for a green test: the client saw the device at steps 1 and 2, heard `remove`,
                       and saw it gone at steps 3 to 5; then what can be unplugged so

A tool that is not installed, or does not run here, says so in its row. On a host that does other work,
run the command under `chrt -f 1` as root; otherwise the load decides the figures.

Quoted, not measured:

* unshare -rn: uevents of other devices do not arrive: "Restrict uevents to initial user namespace" (Linux,
  lib/kobject_uevent.c, uevent_net_init()).
* user-mode-linux: "You can run a usermode kernel as a non-root user"; "there is not a single real device in
  sight" (Linux, Documentation/virt/uml/user_mode_linux_howto_v2.rst).
* virtme-ng: device_del "merely requests that the guest begin the hot removal process" (QEMU, qapi/qdev.json).
  A run that was recorded with -icount can be repeated: it "deterministically replays whole system execution"
  (QEMU, docs/system/replay.rst).
"""
