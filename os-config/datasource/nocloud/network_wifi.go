package nocloud

import (
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// wifi2 takes a Wi-Fi link. It has one network here: the first access point.
func (t *translator) wifi2(e osconfig.Entry) {
	link := t.link(e.Key, e.KeyPos)
	if e.Value.IsNull() {
		return
	}
	for _, o := range e.Value.Map {
		switch {
		case t.common2(link, o):
		case o.Key != "access-points":
			t.skip(o.Value, "the Wi-Fi link's "+o.Key)
		case o.Value.IsNull():
		case o.Value.Kind != osconfig.Map:
			t.wrong(o.Value, "access-points: want a mapping of names to networks")
		default:
			for i, a := range o.Value.Map {
				if i > 0 {
					t.skip(osconfig.NewString(a.KeyPos, a.Key), "a second access point")
					continue
				}
				set(link, "wifi_network", osconfig.NewString(a.KeyPos, a.Key))
				t.accessPoint(a)
			}
		}
	}
}

func (t *translator) accessPoint(a osconfig.Entry) {
	if t.wifi == nil {
		t.wifi = osconfig.NewMap(a.KeyPos)
	}
	if t.wifi.Child(a.Key) != nil {
		return // of another link; a network is the same for all
	}
	out := osconfig.NewMap(a.KeyPos)
	set(out, "ssid", osconfig.NewString(a.KeyPos, a.Key))
	set(t.wifi, a.Key, out)
	if a.Value.IsNull() || a.Value.Kind != osconfig.Map || len(a.Value.Map) == 0 {
		set(out, "key_mgmt", osconfig.NewString(a.KeyPos, "NONE"))
		return
	}
	auth := a.Value.Child("auth")
	for _, o := range a.Value.Map {
		switch {
		case o.Value.IsNull():
		case o.Key == "password":
			set(out, "psk", o.Value)
		case o.Key == "hidden":
			hidden := "0"
			if isTrue(o.Value) {
				hidden = "1"
			}
			set(out, "scan_ssid", osconfig.ResolvePlain(o.Value.Pos, hidden))
		case o.Key == "mode" && text(o.Value) == "infrastructure":
		case o.Key == "auth" && o.Value.Kind == osconfig.Map:
			t.auth2(out, auth)
		default:
			t.skip(o.Value, "the access point's "+o.Key)
		}
	}
	if out.Child("psk") == nil && auth.IsNull() {
		set(out, "key_mgmt", osconfig.NewString(a.KeyPos, "NONE"))
	}
}

// auth2 takes the ways to show who one is.
func (t *translator) auth2(out, auth *osconfig.Node) {
	ways := map[string]string{
		"none": "NONE", "psk": "WPA-PSK", "psk-sha256": "WPA-PSK-SHA256", "sae": "SAE", "eap": "WPA-EAP",
		"eap-sha256": "WPA-EAP-SHA256", "eap-suite-b-192": "WPA-EAP-SUITE-B-192", "802.1x": "IEEE8021X",
	}
	way := text(auth.Child("key-management"))
	for _, o := range auth.Map {
		v := o.Value
		switch o.Key {
		case "key-management":
			if ways[text(v)] == "" {
				t.skip(v, "key-management "+text(v))
				continue
			}
			set(out, "key_mgmt", osconfig.NewString(v.Pos, ways[text(v)]))
		case "password":
			if strings.HasPrefix(way, "eap") || way == "802.1x" {
				set(out, "password", v)
			} else {
				setOnce(out, "psk", v)
			}
		case "method":
			set(out, "eap", osconfig.NewString(v.Pos, strings.ToUpper(text(v))))
		case "identity":
			set(out, "identity", v)
		case "anonymous-identity":
			set(out, "anonymous_identity", v)
		case "ca-certificate":
			add(out, "ca_certs", v)
		case "client-certificate":
			add(out, "client_certs", v)
		case "client-key":
			add(out, "private_keys", v)
		case "client-key-password":
			add(out, "private_key_passwds", v)
		case "phase2-auth":
			add(out, "phases", osconfig.NewString(v.Pos, "auth="+text(v)))
		default:
			t.skip(v, "the access point's "+o.Key)
		}
	}
}
