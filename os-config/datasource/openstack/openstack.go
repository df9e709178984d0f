// Package openstack owns the datasource OpenStack: the metadata service, and
// the parsers of its JSON files, which ConfigDrive has too. It refuses to
// look for the service on machines that are not OpenStack's; detection does.
package openstack
