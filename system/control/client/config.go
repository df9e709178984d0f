package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// ConfigEdit changes the machine's configuration file.
func (c *Client) ConfigEdit(ctx context.Context, e api.ConfigEdit) (api.ConfigWritten, error) {
	var out api.ConfigWritten
	return out, c.ask(ctx, api.PathConfigEdit, e, &out)
}

// ConfigFile is the configuration file as it is; for root.
func (c *Client) ConfigFile(ctx context.Context) (api.ConfigFile, error) {
	var out api.ConfigFile
	return out, c.get(ctx, api.PathConfigFile, &out)
}

// ConfigOrigin asks where the value at key was set.
func (c *Client) ConfigOrigin(ctx context.Context, key string) (api.ConfigOrigin, error) {
	var out api.ConfigOrigin
	body, err := c.do(ctx, http.MethodGet, api.PathConfigOrigin, url.Values{"key": {key}}, nil)
	if err != nil {
		return out, err
	}
	return out, answer(body, &out)
}

// ConfigDiff asks what applying the configuration would change.
func (c *Client) ConfigDiff(ctx context.Context) (api.ConfigDiff, error) {
	var out api.ConfigDiff
	return out, c.get(ctx, api.PathConfigDiff, &out)
}

// ConfigApply applies the configuration; with try above zero, on trial, and
// what cannot be undone with yes only.
func (c *Client) ConfigApply(ctx context.Context, try time.Duration, yes bool) (api.ConfigDiff, error) {
	var out api.ConfigDiff
	return out, c.ask(ctx, api.PathConfigApply, api.ConfigApply{Try: try.Seconds(), Yes: yes}, &out)
}

// ConfigConfirm keeps the configuration that is on trial.
func (c *Client) ConfigConfirm(ctx context.Context) error {
	return c.post(ctx, api.PathConfigConfirm, nil)
}

// ConfigHistory lists what the configuration file was, newest first.
func (c *Client) ConfigHistory(ctx context.Context) ([]api.ConfigGeneration, error) {
	var out []api.ConfigGeneration
	return out, c.get(ctx, api.PathConfigHistory, &out)
}

// ConfigRollback writes an older configuration file again; 0 is the one
// before, or the end of a trial.
func (c *Client) ConfigRollback(ctx context.Context, number int) (api.ConfigWritten, error) {
	var out api.ConfigWritten
	return out, c.ask(ctx, api.PathConfigRollback, api.ConfigRollback{Number: number}, &out)
}

// ConfigSources asks where the configuration comes from.
func (c *Client) ConfigSources(ctx context.Context) (api.ConfigSources, error) {
	var out api.ConfigSources
	return out, c.get(ctx, api.PathConfigSources, &out)
}

// ask posts a question and reads the answer into v.
func (c *Client) ask(ctx context.Context, path string, question, v any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	body, err := c.do(ctx, http.MethodPost, path, nil, bytes.NewReader(text))
	if err != nil {
		return err
	}
	return answer(body, v)
}

// answer reads a JSON answer and closes it.
func answer(body io.ReadCloser, v any) error {
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(v); err != nil {
		return cut(err)
	}
	return nil
}
