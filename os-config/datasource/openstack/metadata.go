package openstack

import (
	"encoding/json"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// ParseMetaData reads meta_data.json: who the machine is and its keys. where
// is how reports call the file.
func ParseMetaData(where string, data []byte) (datasource.Result, error) {
	var m struct {
		UUID       metadata.Text  `json:"uuid"`
		Name       metadata.Text  `json:"name"`
		Hostname   metadata.Text  `json:"hostname"`
		PublicKeys metadata.Lines `json:"public_keys"`
		Keys       []struct {
			Type metadata.Text `json:"type"`
			Data metadata.Text `json:"data"`
		} `json:"keys"`
	}
	if err := metadata.JSON(where, data, &m); err != nil {
		return datasource.Result{}, err
	}
	out := datasource.Result{
		Where:      where,
		InstanceID: string(m.UUID),
		Hostname:   metadata.Hostname(string(m.Hostname)),
		Keys:       m.PublicKeys,
	}
	if out.Hostname == "" {
		out.Hostname = metadata.Hostname(string(m.Name))
	}
	for _, k := range m.Keys {
		if k.Type == "ssh" {
			out.Keys = append(out.Keys, string(k.Data))
		}
	}
	out.Keys = metadata.Keys(out.Keys...)
	return out, nil
}

// ParseVendorData reads vendor_data.json: a text, a list of which the first
// text counts, or an object whose member cloud-init is one of these. It is
// empty when the cloud has nothing for us.
func ParseVendorData(data []byte) []byte {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return []byte(text)
	}
	var list []json.RawMessage
	if json.Unmarshal(data, &list) == nil {
		for _, item := range list {
			if json.Unmarshal(item, &text) == nil && text != "" {
				return []byte(text)
			}
		}
		return nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) == nil {
		if inner := object["cloud-init"]; len(inner) > 0 && inner[0] != '{' {
			return ParseVendorData(inner)
		}
	}
	return nil
}
