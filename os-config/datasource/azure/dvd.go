package azure

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// LabelPrefix is that of the DVD's label; what follows it changes.
const LabelPrefix = "rd_rdfe"

type dvd struct {
	files fs.FS
	where string
}

// NewDVD makes a source of the files of the DVD; where is how reports call it
// ("/dev/sr0").
func NewDVD(files fs.FS, where string) datasource.Source { return dvd{files, where} }

func (dvd) Name() string { return "azure" }

func (d dvd) Fetch(context.Context) (datasource.Result, error) {
	where := d.where + ":ovf-env.xml"
	entries, err := fs.ReadDir(d.files, ".")
	if err != nil {
		return datasource.Result{}, fmt.Errorf("read %s: %w", d.where, err)
	}
	name := ""
	for _, e := range entries {
		if plain, _, _ := strings.Cut(strings.ToLower(e.Name()), ";"); plain == "ovf-env.xml" {
			name = e.Name()
		}
	}
	if name == "" {
		return datasource.Result{}, fmt.Errorf("%s: %w", where, datasource.ErrNotFound)
	}
	data, err := datasource.ReadFile(d.files, d.where, name)
	if err != nil {
		return datasource.Result{}, fmt.Errorf("azure: %w", err)
	}
	return ParseOVF(where, data)
}

// ovf is what we take of the OVF environment. There is no member for
// UserPassword: what is not read cannot get out.
type ovf struct {
	XMLName xml.Name `xml:"Environment"`
	Linux   *struct {
		HostName   string `xml:"HostName"`
		UserData   string `xml:"UserData"`
		CustomData string `xml:"CustomData"`
		Keys       []struct {
			Value string `xml:"Value"`
		} `xml:"SSH>PublicKeys>PublicKey"`
	} `xml:"ProvisioningSection>LinuxProvisioningConfigurationSet"`
}

// ParseOVF reads ovf-env.xml. Keys that are there by fingerprint only are
// left out; the metadata service has them.
func ParseOVF(where string, data []byte) (datasource.Result, error) {
	var doc ovf
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("not UTF-8") }
	err := d.Decode(&doc)
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return datasource.Result{}, fmt.Errorf("%s: no usable XML in line %d", where, syntax.Line)
	case err != nil:
		return datasource.Result{}, fmt.Errorf("%s: no usable OVF environment", where)
	case doc.Linux == nil:
		return datasource.Result{}, fmt.Errorf("%s: no LinuxProvisioningConfigurationSet", where)
	}
	out := datasource.Result{Where: where, Hostname: metadata.Hostname(doc.Linux.HostName)}
	for _, k := range doc.Linux.Keys {
		out.Keys = append(out.Keys, strings.NewReplacer("\r", "", "\n", "").Replace(k.Value))
	}
	out.Keys = metadata.Keys(out.Keys...)
	text, name := doc.Linux.CustomData, "CustomData"
	if strings.TrimSpace(text) == "" {
		text, name = doc.Linux.UserData, "UserData"
	}
	if strings.TrimSpace(text) != "" {
		out.UserDataFile = where + ":" + name
		if out.UserData, err = metadata.Base64(text); err != nil {
			return datasource.Result{}, fmt.Errorf("%s: %w", out.UserDataFile, err)
		}
	}
	return out, nil
}
