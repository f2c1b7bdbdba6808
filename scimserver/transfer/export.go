package transfer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/tenantry/tenantry/scimserver/store"
)

// How much is read at once, which bounds the memory that an export takes.
const (
	resourceStep   = 100
	resourceBytes  = 2 << 20
	membershipStep = 1000
	entryStep      = 500
)

// Options of an export.
type Options struct {
	// Log adds the provisioning log.
	Log bool
}

// Export writes the directory as it is at one moment. Where it returns an error what was written lacks its last line.
func Export(ctx context.Context, from store.Store, to io.Writer, o Options) (Counts, error) {
	buffered := bufio.NewWriterSize(to, 64<<10)
	sum := sha256.New()
	lines := json.NewEncoder(io.MultiWriter(buffered, sum))
	lines.SetEscapeHTML(false) // documents stay as they are stored
	e := exporter{lines: lines}
	err := from.View(ctx, func(r store.Reader) error { return e.export(ctx, r, o) })
	if err != nil {
		return Counts{}, fmt.Errorf("export: %w", err)
	}
	if err := lines.Encode(line{End: &end{e.counts, hex.EncodeToString(sum.Sum(nil))}}); err != nil {
		return Counts{}, fmt.Errorf("export: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return Counts{}, fmt.Errorf("export: %w", err)
	}
	return e.counts, nil
}

type exporter struct {
	lines  *json.Encoder
	counts Counts
}

func (e *exporter) export(ctx context.Context, r store.Reader, o Options) error {
	schemas, err := r.Meta(ctx, store.MetaSchemas)
	if err != nil {
		return err
	}
	defaults, err := r.Meta(ctx, store.MetaDefaults)
	if err != nil {
		return err
	}
	if len(schemas)+len(defaults) > maxLine/2 {
		defaults = "" // rather than an export that cannot be read
	}
	if err := e.lines.Encode(line{Header: &header{Format, schemas, defaults}}); err != nil {
		return err
	}
	for _, kind := range []store.Kind{store.User, store.Group} {
		if err := e.resources(ctx, r, kind); err != nil {
			return err
		}
	}
	if err := e.memberships(ctx, r); err != nil {
		return err
	}
	if o.Log {
		return e.entries(ctx, r)
	}
	return nil
}

func (e *exporter) resources(ctx context.Context, r store.Reader, kind store.Kind) error {
	for after := store.Start; ; {
		page, err := r.Find(ctx, store.Query{Kind: kind, After: after, Limit: resourceStep, Bytes: resourceBytes})
		if err != nil {
			return err
		}
		for i := range page.Records {
			rec := &page.Records[i]
			written := &resource{
				ID: rec.ID, Version: rec.Version, Created: rec.Created.UTC(), Modified: rec.Modified.UTC(),
				Defaults: rec.Defaults, Matched: rec.Matched, Document: rec.Document, Overlay: rec.Overlay,
			}
			if !rec.Deactivated.Equal(rec.Modified) {
				written.Deactivated = rec.Deactivated.UTC()
			}
			next := line{User: written}
			if kind == store.Group {
				next = line{Group: written}
				e.counts.Groups++
			} else {
				e.counts.Users++
			}
			if err := e.lines.Encode(next); err != nil {
				return fmt.Errorf("%s %s: %w", kind, rec.ID, err)
			}
			after = rec.ID
		}
		if len(page.Records) < resourceStep && !page.More {
			return nil
		}
	}
}

func (e *exporter) memberships(ctx context.Context, r store.Reader) error {
	for after := (store.Membership{}); ; {
		step, err := r.Memberships(ctx, after, membershipStep)
		if err != nil {
			return err
		}
		for i := 0; i < len(step); {
			of := &members{Group: step[i].Group}
			for ; i < len(step) && step[i].Group == of.Group; i++ {
				if step[i].Kind == store.Group {
					of.Groups = append(of.Groups, step[i].ID)
				} else {
					of.Users = append(of.Users, step[i].ID)
				}
			}
			if err := e.lines.Encode(line{Members: of}); err != nil {
				return fmt.Errorf("members of group %s: %w", of.Group, err)
			}
		}
		e.counts.Memberships += int64(len(step))
		if len(step) < membershipStep {
			return nil
		}
		after = step[len(step)-1]
	}
}

func (e *exporter) entries(ctx context.Context, r store.Reader) error {
	for after := int64(0); ; {
		step, err := r.Log(ctx, after, entryStep)
		if err != nil {
			return err
		}
		for i := range step {
			entry := NewEntry(&step[i])
			if err := e.lines.Encode(line{Entry: &entry}); err != nil {
				return fmt.Errorf("entry %d of the provisioning log: %w", entry.Sequence, err)
			}
			after = entry.Sequence
		}
		e.counts.Entries += int64(len(step))
		if len(step) < entryStep {
			return nil
		}
	}
}
