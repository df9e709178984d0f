package settings

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cmdline"
	"github.com/pharos-os/pharos/os-config/edit"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/control/api"
)

// Edit carries a change of the user's file out, for who. It is refused, and
// the file stays as it was, when it brings an error into the machine's
// configuration; errors that were there before do not stand in its way.
func (s *Settings) Edit(e api.ConfigEdit, who string) (api.ConfigWritten, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := s.writable()
	if err != nil {
		return api.ConfigWritten{}, err
	}
	c := candidate{s: s, running: s.o.Running(), text: text, e: e}
	next, err := c.next()
	switch {
	case errors.Is(err, edit.ErrNotThere):
		return api.ConfigWritten{}, fmt.Errorf("%w: %w", err, errdefs.ErrNotFound)
	case err != nil:
		return api.ConfigWritten{}, fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	case bytes.Equal(next, text):
		return api.ConfigWritten{Summary: "no change"}, nil
	}
	verb := e.Verb
	if e.Key != "" {
		verb += " " + e.Key
	}
	out, err := s.write(who, verb, text, next)
	if err == nil {
		out.Notes = append(out.Notes, c.surprises(next)...)
	}
	return out, err
}

// writable is the user's file, to be changed; changes that a trial's end would
// undo are refused. s.mu is held.
func (s *Settings) writable() ([]byte, error) {
	if s.o.Running().Document.Root == nil {
		return nil, errNotLoaded()
	}
	if s.trial != nil {
		return nil, fmt.Errorf("a configuration is on trial for %s more: `ros config confirm` keeps it, `ros config rollback` ends it; change it after that: %w",
			left(s.trial.until), errdefs.ErrFailedPrecondition)
	}
	return s.userText()
}

// write validates and writes the user's file. s.mu is held.
func (s *Settings) write(who, verb string, text, next []byte) (api.ConfigWritten, error) {
	if len(next) > osconfig.MaxSize {
		return api.ConfigWritten{}, fmt.Errorf("%d bytes is too large for a configuration; the limit is %d: %w", len(next), osconfig.MaxSize, errdefs.ErrInvalidArgument)
	}
	wrong, notes := s.fresh(text, next)
	if len(wrong) > 0 {
		return api.ConfigWritten{}, invalid(wrong)
	}
	if err := s.catchUp(text); err != nil {
		return api.ConfigWritten{}, fmt.Errorf("history: %w", err)
	}
	if err := s.writeUser(next); err != nil {
		return api.ConfigWritten{}, err
	}
	out := api.ConfigWritten{Changed: true, Summary: edit.Summary(parsed(text), parsed(next)), Notes: notes}
	number, err := s.record(who, verb, text, next)
	if err != nil {
		out.Notes = append(out.Notes, "written, but not in the history: "+err.Error())
	}
	out.Generation = number
	if s.o.Note != nil {
		if note := s.o.Note(); note != "" {
			out.Notes = append(out.Notes, note)
		}
	}
	s.o.Log.Info("configuration changed", "who", who, "verb", verb, "generation", number)
	return out, nil
}

// fresh are the errors and warnings that next brings and text did not have.
func (s *Settings) fresh(text, next []byte) (wrong, notes []string) {
	type known struct{ layer, path, text string }
	old := map[known]int{}
	for _, p := range s.strict(text) {
		old[known{p.Layer, p.Path, p.Text}]++
	}
	for _, p := range s.strict(next) {
		k := known{p.Layer, p.Path, p.Text}
		switch {
		case old[k] > 0:
			old[k]--
		case p.Severity == osconfig.Error:
			wrong = append(wrong, p.String())
		default:
			notes = append(notes, p.String())
		}
	}
	return wrong, notes
}

// strict is everything that is wrong with the machine's configuration when
// the user's file holds text.
func (s *Settings) strict(text []byte) osconfig.Report {
	layer, report := osconfig.Parse(load.UserLayer, load.UserFile, text)
	return append(report, load.Strict(s.layers(layer)...)...).Sorted()
}

// layers are those of the running configuration, with another user's file.
func (s *Settings) layers(user osconfig.Layer) []osconfig.Layer {
	var out, last []osconfig.Layer
	for _, l := range s.o.Running().Layers {
		switch l.Name {
		case load.UserLayer:
		case cmdline.Name:
			last = append(last, l)
		default:
			out = append(out, l)
		}
	}
	return append(append(out, user), last...)
}

// candidate is a change that is being made.
type candidate struct {
	s       *Settings
	running load.Result
	text    []byte
	e       api.ConfigEdit
}

// merged is the machine's configuration when the user's file holds text.
func (c candidate) merged(text []byte) osconfig.Document {
	return osconfig.Merge(c.s.layers(osconfig.Layer{Name: load.UserLayer, File: load.UserFile, Doc: c.parse(text)})...)
}

func (c candidate) parse(text []byte) *osconfig.Node {
	layer, _ := osconfig.Parse(load.UserLayer, load.UserFile, text)
	return layer.Doc
}

// next is the text of the file after the change.
func (c candidate) next() ([]byte, error) {
	e := c.e
	switch e.Verb {
	case api.VerbMerge:
		return edit.Merge(c.text, load.UserFile, []byte(e.Text), "input")
	case api.VerbReplace:
		if e.Base != "" && e.Base != sum(c.text) {
			return nil, fmt.Errorf("%s has been changed by somebody else meanwhile; begin anew", load.UserFile)
		}
		return []byte(e.Text), nil
	case api.VerbUnset:
		out, err := edit.Unset(c.text, load.UserFile, e.Key)
		return out, c.elsewhere(err, edit.Lookup(c.merged(c.text).Root, e.Key))
	case api.VerbRemove:
		return c.remove()
	case api.VerbSet, api.VerbAppend:
		value, err := edit.Value(e.Value)
		if err != nil {
			return nil, err
		}
		if e.Verb == api.VerbSet {
			return edit.Set(c.text, load.UserFile, e.Key, value)
		}
		return c.add(value)
	}
	return nil, fmt.Errorf("%q is no verb", e.Verb)
}

// elsewhere adds to an error that something is not in the file where it is.
func (c candidate) elsewhere(err error, n *osconfig.Node) error {
	if !errors.Is(err, edit.ErrNotThere) || n.IsNull() {
		return err
	}
	return fmt.Errorf("%w; it comes from %s, and can be set to another value, not taken away", err, origin(n))
}

// add appends to a list. A list that replaces those of other layers begins
// with what they say: to append means that what is there stays.
func (c candidate) add(value *osconfig.Node) ([]byte, error) {
	there := edit.Lookup(c.merged(c.text).Root, c.e.Key)
	out, err := edit.Append(c.text, load.UserFile, c.e.Key, value, nil)
	if err != nil || there.IsNull() || edit.Holds(edit.Lookup(c.merged(out).Root, c.e.Key), there) {
		return out, err
	}
	return edit.Append(c.text, load.UserFile, c.e.Key, value, there)
}

// remove takes an item out. One that another layer brings goes only where
// the file's list replaces that layer's.
func (c candidate) remove() ([]byte, error) {
	there := edit.Lookup(c.merged(c.text).Root, c.e.Key)
	out, err := edit.Remove(c.text, load.UserFile, c.e.Key, c.e.Value, nil)
	if !errors.Is(err, edit.ErrNotThere) {
		return out, err
	}
	item := edit.Find(there, c.e.Value)
	if item == nil || there.Kind == osconfig.Map {
		return nil, c.elsewhere(err, item)
	}
	out, again := edit.Remove(c.text, load.UserFile, c.e.Key, c.e.Value, there)
	if again != nil || edit.Find(edit.Lookup(c.merged(out).Root, c.e.Key), c.e.Value) != nil {
		return nil, c.elsewhere(err, item)
	}
	return out, nil
}

// surprises are what the change does not do although it looks so: another
// layer says something too.
func (c candidate) surprises(next []byte) []string {
	if c.e.Key == "" {
		return nil
	}
	n := edit.Lookup(c.merged(next).Root, c.e.Key)
	switch {
	case n.IsNull():
		return nil
	case c.e.Verb == api.VerbUnset:
		return []string{c.e.Key + " is now what " + origin(n) + " says"}
	case c.e.Verb == api.VerbRemove && n.Kind != osconfig.Map && edit.Find(n, c.e.Value) != nil:
		return []string{"it is still there: " + origin(edit.Find(n, c.e.Value)) + " says so"}
	case c.e.Verb == api.VerbSet && n.Pos.Layer == cmdline.Name:
		return []string{c.e.Key + " stands on the kernel command line too, which wins"}
	}
	return nil
}
