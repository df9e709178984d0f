package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

const (
	phoneTries   = 10
	phoneTimeout = 10 * time.Second
	phonePause   = time.Second // doubles up to phoneLongest
	phoneLongest = 30 * time.Second
)

// phoneHome posts what cloud-init's phone_home posts, as a form.
func (s *setup) phoneHome(ctx context.Context, p Plan) error {
	address := strings.NewReplacer("$INSTANCE_ID", url.PathEscape(p.InstanceID), "${INSTANCE_ID}", url.PathEscape(p.InstanceID)).Replace(p.PhoneHome.URL)
	tries := p.PhoneHome.Tries
	if tries <= 0 {
		tries = phoneTries
	}
	form := s.phoneForm(p)
	proxies := osconfig.Network{}.Proxies(p.Environment)
	client := &http.Client{Timeout: phoneTimeout, Transport: &http.Transport{
		Proxy:             func(r *http.Request) (*url.URL, error) { return proxies.For(r.URL) },
		DisableKeepAlives: true,
	}}
	pause := phonePause
	var err error
	for try := range tries {
		if try > 0 {
			if wait(ctx, pause) != nil {
				break
			}
			pause = min(2*pause, phoneLongest)
		}
		if err = post(ctx, client, address, form); err == nil {
			return nil
		}
		s.log.Warn("phone_home", "try", try+1, "of", tries, "error", err)
	}
	return fmt.Errorf("phone_home: %w", err)
}

func post(ctx context.Context, client *http.Client, address string, form url.Values) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the url does not parse")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Of the URL only the host is named: the rest may hold a token, and
	// everybody may read the status.
	resp, err := client.Do(req)
	if of := (*url.Error)(nil); errors.As(err, &of) {
		err = fmt.Errorf("%s: %w", req.URL.Host, of.Err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection ends well
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", req.URL.Host, resp.Status)
	}
	return nil
}

// phoneForm is the fields that were asked for; none asks for all.
func (s *setup) phoneForm(p Plan) url.Values {
	fqdn := p.FQDN
	if fqdn == "" {
		fqdn = s.hostname(p)
	}
	all := map[string]func() string{
		"instance_id":     func() string { return p.InstanceID },
		"hostname":        func() string { return s.hostname(p) },
		"fqdn":            func() string { return fqdn },
		"pub_key_rsa":     func() string { return s.publicKey(p, "rsa") },
		"pub_key_ecdsa":   func() string { return s.publicKey(p, "ecdsa") },
		"pub_key_ed25519": func() string { return s.publicKey(p, "ed25519") },
	}
	form := url.Values{}
	for name, value := range all {
		if len(p.PhoneHome.Post) == 0 || slices.Contains(p.PhoneHome.Post, "all") || slices.Contains(p.PhoneHome.Post, name) {
			form.Set(name, value())
		}
	}
	return form
}

// hostname is the plan's, or what the machine got from elsewhere.
func (s *setup) hostname(p Plan) string {
	if p.Hostname != "" {
		return p.Hostname
	}
	text, err := os.ReadFile(s.path("/run/pharos/etc/hostname"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// publicKey is a host key's public half, "N/A" when there is none of the
// kind, as cloud-init has it.
func (s *setup) publicKey(p Plan, kind string) string {
	name := "ssh_host_" + kind + "_key.pub"
	if text, ok := p.SSH.HostKeys[name]; ok {
		return strings.TrimSpace(text)
	}
	for _, dir := range []string{keyDir, keyFallback} {
		if text, err := os.ReadFile(s.path(filepath.Join(dir, name))); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return "N/A"
}

// wait returns after d, or with an error when ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
