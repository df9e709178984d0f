package detect

import (
	"io/fs"
	"strings"
)

// rule is one way in which a cloud shows itself in the firmware's tables.
type rule struct {
	source string
	field  string // of /sys/class/dmi/id
	match  matcher
	text   string
}

// matcher says how a field is compared.
type matcher int

const (
	is matcher = iota
	begins
	contains
	ends
)

func (r rule) matches(value string) bool {
	switch r.match {
	case begins:
		return strings.HasPrefix(value, r.text)
	case contains:
		return strings.Contains(value, r.text)
	case ends:
		return strings.HasSuffix(value, r.text)
	}
	return value == r.text
}

// rules are the clouds, and what their documentation or cloud-init's
// ds-identify says that they write into DMI. The first that matches counts: a
// cloud that is built on another (Exoscale on CloudStack, Alibaba's Xen with
// EC2-like ids) stands before it. Equinix Metal is not told by DMI, for its
// machines are their makers' own: it must be listed.
func rules() []rule {
	return []rule{
		{"digitalocean", "sys_vendor", is, "DigitalOcean"},
		{"hetzner", "sys_vendor", is, "Hetzner"},
		{"vultr", "sys_vendor", is, "Vultr"},
		{"linode", "sys_vendor", is, "Linode"},
		{"linode", "sys_vendor", is, "Akamai"},
		{"scaleway", "sys_vendor", is, "Scaleway"},
		{"exoscale", "product_name", begins, "Exoscale"},
		{"aliyun", "product_name", is, "Alibaba Cloud ECS"},
		{"aliyun", "sys_vendor", is, "Alibaba Cloud"},
		{"oracle", "chassis_asset_tag", is, "OracleCloud.com"},
		{"azure", "chassis_asset_tag", is, "7783-7084-3265-9085-8269-3286-77"},
		{"gce", "product_name", is, "Google Compute Engine"},
		{"gce", "product_serial", begins, "GoogleCloud-"},
		{"ec2", "sys_vendor", is, "Amazon EC2"},
		{"ec2", "bios_vendor", is, "Amazon EC2"},
		{"ec2", "bios_version", ends, ".amazon"},
		{"ec2", "chassis_asset_tag", is, "Amazon EC2"},
		{"ec2", "product_uuid", begins, "ec2"}, // Xen; also the serial number then
		{"cloudstack", "product_name", begins, "CloudStack"},
		{"cloudstack", "sys_vendor", is, "Apache Software Foundation"},
		{"openstack", "product_name", is, "OpenStack Nova"},
		{"openstack", "product_name", is, "OpenStack Compute"},
		{"openstack", "sys_vendor", is, "OpenStack Foundation"},
		{"openstack", "chassis_asset_tag", is, "OpenStack Nova"},
		{"openstack", "chassis_asset_tag", is, "OpenStack Compute"},
		{"openstack", "chassis_asset_tag", is, "OpenTelekomCloud"},
		{"openstack", "chassis_asset_tag", is, "HUAWEICLOUD"},
		{"openstack", "chassis_asset_tag", is, "SAP CCloud VM"},
		{"openstack", "chassis_asset_tag", is, "Samsung Cloud Platform"},
		{"nocloud", "product_name", contains, "Proxmox"},
		{"vmware", "sys_vendor", begins, "VMware"},
		{"vmware", "product_serial", begins, "VMware-"},
	}
}

// Cloud says which cloud the firmware's tables name.
func Cloud(sys fs.FS) (Choice, bool) {
	for _, r := range rules() {
		value := DMI(sys, r.field)
		if r.field == "product_uuid" {
			value = strings.ToLower(value)
		}
		if value != "" && r.matches(value) {
			return Choice{Source: r.source, Why: "the firmware's " + r.field + " is " + value}, r.source != "nocloud"
		}
	}
	return Choice{}, false
}
