package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	neturl "net/url"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/url"
)

// Fetch asks the online sources that a Result left pending, one after the
// other, until one answers or ctx ends; each gets an equal part of the time.
// A list of several without any sign of which it is, is all it ever waits
// for. The answer is kept for boots at which the source is away; give it to
// the next Load. Without an answer the error says what each source did; what
// was tried is told in any case.
func (l *Loader) Fetch(ctx context.Context, r Result) (*Answer, []datasource.Probe, error) {
	var probes []datasource.Probe
	var failed error
	for i, c := range r.Pending {
		start := time.Now()
		result, where, err := l.ask(ctx, c, len(r.Pending)-i, r.Config)
		took := time.Since(start)
		if err == nil {
			a := Answer{Source: c.Source, Why: c.Why, Took: took, Result: result}
			l.log().Info("datasource answered", "source", c.Source, "where", result.Where, "instance", result.InstanceID, "took", took)
			if local := slices.ContainsFunc(r.Probed, func(p datasource.Probe) bool { return p.State == datasource.Chosen }); !local {
				l.remember(a, l.cached())
			}
			return &a, probes, nil
		}
		l.log().Warn("datasource did not answer", "source", c.Source, "took", took, "error", err)
		state := datasource.Failed
		if errors.Is(err, datasource.ErrNotFound) {
			state = datasource.NotFound
		}
		probes = append(probes, datasource.Probe{Source: c.Source, Where: where, State: state, Took: took, Detail: c.Why + "; " + err.Error()})
		if !strings.HasPrefix(err.Error(), c.Source+": ") {
			err = fmt.Errorf("%s: %w", c.Source, err)
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, probes, failed
}

// ask asks one of the sources that are left.
func (l *Loader) ask(ctx context.Context, c detect.Choice, left int, known osconfig.Config) (datasource.Result, string, error) {
	ctx, cancel := share(ctx, left)
	defer cancel()
	if c.Source == "cloudstack" && c.Place == "" && l.DHCPServer != nil {
		server, err := l.DHCPServer(ctx)
		if err != nil {
			return datasource.Result{}, "", fmt.Errorf("address of the DHCP server: %w", err)
		}
		c.Place = server
	}
	options := l.IMDS
	if asksAnyone(c) {
		options = l.proxied(known)
	}
	s, ok := makeSource(c, options)
	if !ok {
		return datasource.Result{}, osconfig.ShownURL(c.Place), errUnknown(c)
	}
	result, err := s.Fetch(ctx)
	if c.Source == "azure" {
		result, err = l.withDVD(context.WithoutCancel(ctx), result, err)
	}
	return result, osconfig.ShownURL(c.Place), err
}

// asksAnyone tells the sources whose address is a user's from a cloud's own
// service, which no proxy ever gets.
func asksAnyone(c detect.Choice) bool {
	return c.Place != "" && slices.Contains([]string{"url", "cmdline", "nocloud"}, c.Source)
}

// proxied is how addresses are asked that somebody wrote: by the proxies of
// what is known of the configuration without them.
func (l *Loader) proxied(c osconfig.Config) imds.Options {
	proxies := c.Rancher.Network.Proxies(c.Rancher.Environment)
	return l.IMDS.WithProxy(func(r *http.Request) (*neturl.URL, error) { return proxies.For(r.URL) })
}

// share bounds one of several things by its part of the time that is left.
func share(ctx context.Context, left int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(max(left, 1)))
}

// FetchIncludes reads the URLs of #include that a Result names, until ctx
// ends; each gets an equal part of the time, so that one that is away does not
// cost the others. Give what it returns, with what there was before, to the next Load.
func (l *Loader) FetchIncludes(ctx context.Context, r Result) (map[string][]byte, error) {
	texts := map[string][]byte{}
	var failed error
	for i, address := range r.Includes {
		part, cancel := share(ctx, len(r.Includes)-i)
		result, err := url.New(address, l.proxied(r.Config)).Fetch(part)
		cancel()
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("#include: %w", err))
			continue
		}
		texts[address] = result.UserData
		if l.KeepLastGood {
			l.keepInclude(address, result.UserData)
		}
	}
	return texts, failed
}
