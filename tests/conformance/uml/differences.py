"""Known differences between Linux 6.18 and User-mode Linux 6.12. simkernel follows 6.18.

`test_uml.py` checks all areas except `AREAS`: only the cases in `DIFFERENCES` may differ, and all of them
must.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SIZES = "the memory of a message depends on the kernel's configuration"
ALIGNED = "64-bit attributes of a policy are not aligned"
OPERATION = "nlctrl's policies have a different operation number"
ATTRIBUTES = "6.18 has attributes, flags and families that 6.12 lacks"
CHECKS = "6.18 checks in another order, or has an extended ACK text that 6.12 lacks"
CONFIGURED = "UML has other link kinds, multicast groups, tables of rules, clock ticks or size of the log"
VLANS = "UML's bridges filter VLANs, so each VLAN has an entry and a port has VLANs"
NAMES = "SIOCGIFNAME copies the bytes of the name and no more"

AREAS: Final[Mapping[str, str]] = {
    "addresses": ATTRIBUTES,
    **dict.fromkeys(("bridge_fdb", "bridge_ports"), VLANS),
    **dict.fromkeys(("fib", "fib6", "fib_rules"), "6.18 has port masks and extack texts that 6.12 lacks"),
    "link_changes": ATTRIBUTES,
    "link_uevents": "UML has no devices for receive queues (CONFIG_RPS); `device_uevents` leaves them out",
}
"""Case modules (areas) whose cases test_uml.py does not run, each with the reason why results on UML can
differ from those on Linux 6.18.
"""

DIFFERENCES: Final[Mapping[str, str]] = {
    "found_links.changes_before_an_error": "6.12 does not create this bridge",
    "link_tables.links_between_namespaces": "6.12 does not create a link directly in its target namespace",
    "lookup_tables.ends_of_lookups6": "UML has no multicast routing, whose routes the reply would contain",
    "permissions.owner_of_a_pipe": "6.12 changes the mode of an anonymous inode, such as an eventfd's",
    "route_tables.files_of_routes": "6.12 prints the metric of a route as a signed number",
    "unix_sockets.credentials_before_accept": "UML has a security module, whose label SO_PASSSEC adds",
    **dict.fromkeys(("link_tables.forwarding_entries", "policy_tables.statistics_of_links"), VLANS),
    **dict.fromkeys(
        (
            *("found_links.neighbours_that_are_validated", "found_links.protocols_that_end_and_begin_again"),
            *("address_tables.tokens", "address_tables.links_without_protocols"),
            *("limits.flags_of_timestamping", "lookup_tables.strict_lookups"),
            *("netdev.commands_with_attributes", "neighbour_tables.kinds_of_neighbours"),
            *("rule_tables.gateways_by_rules", "rule_tables.rules_of_tos"),
        ),
        ATTRIBUTES,
    ),
    **dict.fromkeys(
        (
            *("exact_truesize.unicast_small", "exact_truesize.buffer_sizes", "exact_truesize.acks"),
            *("exact_truesize.multicast_counts", "exact_truesize.room_for_a_dump"),
            *("exact_truesize.a_dump_goes_on", "exact_truesize.as_large_as_was_read"),
            *("exact_truesize.uevents_of_programs", "loops.memory_on_the_way"),
            *("proc.queued", "proc.dump", "proc.an_answer"),
        ),
        SIZES,
    ),
    **dict.fromkeys(
        (
            *("links.statistics_and_names_refused", "nlctrl.id_length", "nlctrl.policy_of_an_operation"),
            *("nlctrl.policy_errors", "route.bad_attributes", "routes.neighbours_refused"),
            *("routes.no_numbers", "link_tables.numbers_of_links", "link_tables.peers_of_links"),
            *("link_tables.requests_for_ports", "policy_tables.attributes_of_addresses"),
            *("policy_tables.attributes_of_links", "policy_tables.attributes_of_neighbours"),
            *("policy_tables.attributes_of_routes", "policy_tables.attributes_of_rules"),
            *("policy_tables.attributes_of_settings", "policy_tables.headers_of_dumps"),
            "rule_tables.ids_of_namespaces",
        ),
        ALIGNED,
    ),
    **dict.fromkeys(
        (
            *("loops.answers_and_a_dump", "nlctrl.two_dumps", "nlctrl.do_while_dumping"),
            *("nlctrl.policy_dump", "nlctrl.policy_by_both", "found.policies_of_one_operation"),
        ),
        OPERATION,
    ),
    **dict.fromkeys(
        (
            *("netdev.missing_attribute", "netdev.reserved_bits", "netdev.reserved_flags"),
            *("netdev.strict_attributes", "netdev.dump_without_multi", "netdev.out_of_range"),
            *("found.a_device_that_transmits_from_memory", "links.strictly", "links.without_a_master"),
            *("links.of_ipv6_strictly", "routes.way_strictly"),
        ),
        ATTRIBUTES,
    ),
    **dict.fromkeys(
        (
            *("found.where_a_link_is_to_go", "found.what_kind_of_link", "found.a_link_that_leads_nowhere"),
            *("routes.addresses_refused", "routes.one_neighbour", "found.longer_attributes"),
            *("found_links.rules_that_are_wrong_twice", "found_links.neighbours_of_a_link_that_goes_down"),
            *("fib6_sources.requests_wrong_twice6", "events.values_of_options"),
            "neighbour_tables.one_neighbour_of_many",
        ),
        CHECKS,
    ),
    **dict.fromkeys(
        (
            *("links.of_a_kind", "links.groups_without_privilege", "routes.routes_strictly"),
            *("routes.rules", "sockopt.timeouts_in_ticks", "syslog.arguments"),
            *("events.values_of_timeouts", "events.values_of_linger_and_pacing"),
        ),
        CONFIGURED,
    ),
    **dict.fromkeys(("ifreq.indices", "ifreq.every_number"), NAMES),
}
LEFT_OUT: Final[Mapping[str, str]] = {
    "ifreq.every_number_of_no_device": "modprobe runs for each number, which takes a minute",
    **dict.fromkeys(
        ("programs.writers_of_a_full_pipe", "programs.signals_of_an_empty_pipe"),
        "since 6.14, a pipe read that frees no slot wakes no writer; on 6.12, scheduling decides the result",
    ),
    "syslog.waiting": "the scheduler decides which reader gets the record",
}
"""Cases that do not run on UML, with the reason."""
