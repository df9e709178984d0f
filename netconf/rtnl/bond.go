package rtnl

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// bondOption is one option of a bond: its name in sysfs, its attribute below
// IFLA_INFO_DATA (linux/if_link.h) and how many bytes its number has. Those
// without a number are read and written by what they are.
type bondOption struct {
	name  string
	attr  uint16
	bytes int
	down  bool // can be changed only while the bond is down
}

// bondOptions lists them in the order in which the kernel applies them.
func bondOptions() []bondOption {
	return []bondOption{
		{"mode", 1, 1, true}, {"active_slave", 2, 0, false}, {"miimon", 3, 4, false}, {"updelay", 4, 4, false},
		{"downdelay", 5, 4, false}, {"peer_notif_delay", 28, 4, false}, {"use_carrier", 6, 1, false},
		{"arp_interval", 7, 4, false}, {"arp_ip_target", 8, 0, false}, {"ns_ip6_target", 31, 0, false},
		{"arp_validate", 9, 4, false}, {"arp_all_targets", 10, 4, false}, {"primary", 11, 0, false},
		{"primary_reselect", 12, 1, false}, {"fail_over_mac", 13, 1, true}, {"xmit_hash_policy", 14, 1, false},
		{"resend_igmp", 15, 4, false}, {"num_grat_arp", 16, 1, false}, {"num_unsol_na", 16, 1, false},
		{"all_slaves_active", 17, 1, false}, {"min_links", 18, 4, false}, {"lp_interval", 19, 4, false},
		{"packets_per_slave", 20, 4, false}, {"lacp_active", 29, 1, true}, {"lacp_rate", 21, 1, true},
		{"ad_select", 22, 1, true}, {"ad_actor_sys_prio", 24, 2, true}, {"ad_user_port_key", 25, 2, true},
		{"ad_actor_system", 26, 0, true}, {"tlb_dynamic_lb", 27, 1, true}, {"arp_missed_max", 30, 1, false},
	}
}

// decodeBond reads a bond's options, as netconf.BondValue spells them.
func decodeBond(info attrs, names map[int]string) map[string]string {
	out := make(map[string]string)
	for _, o := range bondOptions() {
		value, ok := info[o.attr]
		if !ok {
			continue
		}
		switch {
		case o.bytes != 0:
			out[o.name] = netconf.BondValue(o.name, strconv.Itoa(info.number(o.attr)))
		case o.name == "ad_actor_system":
			if mac := net.HardwareAddr(value); !slices.Equal(mac, make(net.HardwareAddr, len(mac))) {
				out[o.name] = mac.String()
			}
		case o.name == "primary" || o.name == "active_slave":
			out[o.name] = names[info.number(o.attr)]
		default:
			var list []string
			each(value, func(_ uint16, b []byte) {
				if a, ok := netip.AddrFromSlice(b); ok {
					list = append(list, a.String())
				}
			})
			out[o.name] = strings.Join(list, ",")
		}
	}
	return out
}

// bondChanges lists the options that want and have differ in, in order.
func bondChanges(want, have map[string]string) []bondOption {
	var list []bondOption
	for _, o := range bondOptions() {
		asked := netconf.Device{Kind: netconf.KindBond, Bond: map[string]string{o.name: want[o.name]}}
		if asked.Differs(netconf.Device{Kind: netconf.KindBond, Bond: have}) {
			list = append(list, o)
		}
	}
	return list
}

// encodeBond adds the options that differ. Links that are to be primary or
// active are left out until they exist: index returns ENODEV for them.
func encodeBond(data *nl.RtAttr, want, have map[string]string, index func(string) (int, error)) error {
	for option := range want {
		if !slices.ContainsFunc(bondOptions(), func(o bondOption) bool { return o.name == option }) {
			return fmt.Errorf("%s is no option of a bond: %w", option, unix.EINVAL)
		}
	}
	for _, o := range bondChanges(want, have) {
		value := netconf.BondValue(o.name, want[o.name])
		switch {
		case o.bytes != 0:
			n, err := bondNumber(o.name, value)
			if err != nil {
				return err
			}
			data.AddChild(map[int]func(int, int) *nl.RtAttr{1: number8, 2: number16, 4: number32}[o.bytes](int(o.attr), n))
		case o.name == "ad_actor_system":
			mac, err := net.ParseMAC(value)
			if err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
			data.AddRtAttr(int(o.attr), mac)
		case o.name == "primary" || o.name == "active_slave":
			member, err := index(value)
			if gone(err) || member == 0 {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s %s: %w", o.name, value, err)
			}
			data.AddChild(number32(int(o.attr), member))
		default:
			list := nl.NewRtAttr(int(o.attr)|unix.NLA_F_NESTED, nil)
			for i, s := range strings.Split(value, ",") {
				a, err := netip.ParseAddr(s)
				if err != nil {
					return fmt.Errorf("%s: %w", o.name, err)
				}
				list.AddRtAttr(i, a.AsSlice())
			}
			data.AddChild(list)
		}
	}
	return nil
}

func bondNumber(option, value string) (int, error) {
	if i := slices.Index(netconf.BondNames()[option], value); i >= 0 {
		return i, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("%s %s is not among its values: %w", option, value, unix.EINVAL)
	}
	return n, nil
}
