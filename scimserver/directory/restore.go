package directory

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// MaxVersion bounds a version, and a number of the provisioning log, that a file says: each change adds one, and no server can
	// have made so many.
	MaxVersion = 1 << 53
	// maxSkew is how far behind the clock of the server that wrote a file ours may be.
	maxSkew = 24 * time.Hour
)

// Restore is Derive for a record of a file, which anybody may have written. It takes what a client could have made of the resource,
// and what a UserDefaults could have given it; and besides, what a server goes on serving though it would not accept it any more (see
// schema.ResourceType.CheckCanonical). The error names the attribute and what would be right, without the value.
func (d *Directory) Restore(rec *store.Record) error {
	document, seen, err := d.derive(rec)
	if err != nil {
		return err
	}
	switch {
	case rec.Version > MaxVersion:
		return fmt.Errorf("the version is greater than %d", MaxVersion)
	case rec.Kind != store.User && (len(rec.Overlay) > 0 || rec.Defaults != "" || rec.Matched != ""):
		return errors.New("only users have defaults")
	case rec.Matched != "" && !isDefaultsName(strings.TrimPrefix(rec.Matched, awaits)):
		return errors.New("matched: accepts the name of a UserDefaults")
	}
	for _, t := range []struct {
		name string
		time time.Time
	}{{"created", rec.Created}, {"modified", rec.Modified}, {"deactivated", rec.Deactivated}} {
		if err := d.checkTime(t.name, t.time); err != nil && !t.time.IsZero() {
			return err
		}
	}
	if err := d.restoreDocument(rec, document); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	if err := d.restoreOverlay(rec); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	if stamp, _ := seen[schema.TenantryUser].(schema.Object); rec.Defaults != "" || stamp["defaults"] != nil {
		if stamp["defaults"] != rec.Defaults {
			return fmt.Errorf("defaults: must be those that %s:defaults names", schema.TenantryUser)
		}
	}
	return nil
}

// Derive fills in what a record that comes from another store owes to its document: the key as an earlier version made it, for
// store.Tx.Rekey to bring up to date, the narrow columns and the index. The error says what is wrong with the document, without
// its values.
func (d *Directory) Derive(rec *store.Record) error {
	_, _, err := d.derive(rec)
	return err
}

// derive is Derive, and returns the record's document and what clients see of it.
func (d *Directory) derive(rec *store.Record) (document, seen schema.Object, err error) {
	if document, err = schema.Decode(rec.Document); err != nil {
		return nil, nil, fmt.Errorf("document: %w", err)
	}
	name, _ := document[uniqueAttribute(rec.Kind)].(string)
	if name == "" {
		return nil, nil, fmt.Errorf("document: it has no %s", uniqueAttribute(rec.Kind))
	}
	rec.Key = schema.Fold(name) // and not FoldName: what was exported may have two names that are one by now
	if len(rec.Key) > store.MaxKey {
		rec.Key = schema.FoldName(name) // which is shorter where it composes; no earlier version took such a name
	}
	rec.ExternalID, _ = document["externalId"].(string)
	for attribute, key := range map[string]string{uniqueAttribute(rec.Kind): rec.Key, "externalId": rec.ExternalID} {
		if len(key) > store.MaxKey {
			return nil, nil, fmt.Errorf("document: %s is longer than %d bytes", attribute, store.MaxKey)
		}
	}
	rec.Active = true
	if rec.Kind == store.User {
		// Each export has it, so nobody has to guess whether somebody may sign in.
		active, given := document["active"].(bool)
		if !given {
			return nil, nil, errors.New("document: it has no active that is true or false")
		}
		rec.Active = active
	}
	if seen, err = overlaid(rec, document); err != nil {
		return nil, nil, err
	}
	rec.Index = d.Type(rec.Kind).IndexKeys(seen)
	return document, seen, nil
}

// restoreDocument checks a record's document and encodes it as a server does, so that what is read of its bytes is right.
func (d *Directory) restoreDocument(rec *store.Record, document schema.Object) (err error) {
	values := document
	if stamp, stamped := document[schema.TenantryUser]; stamped && rec.Kind == store.User {
		if err := d.checkStamp(stamp, true); err != nil {
			return err
		}
		values = maps.Clone(document)
		delete(values, schema.TenantryUser)
	}
	if err := d.restored(rec.Kind).CheckCanonical(values); err != nil {
		return err
	}
	rec.Document, err = schema.Encode(document)
	return err
}

// restoreOverlay does so with the values that follow a UserDefaults.
func (d *Directory) restoreOverlay(rec *store.Record) error {
	if len(rec.Overlay) == 0 {
		return nil
	}
	overlay, err := schema.Decode(rec.Overlay)
	if err != nil {
		return err
	}
	if err := d.checkStamp(overlay[schema.TenantryUser], false); err != nil {
		return err
	}
	users := d.restored(store.User)
	whole := schema.Object{"userName": "probe"} // which every user must have
	maps.Copy(whole, overlay)
	delete(whole, schema.TenantryUser)
	if err := users.CheckCanonical(whole); err != nil {
		return err
	}
	for _, path := range paths(overlay) {
		if !canBeGiven(users, path) {
			return fmt.Errorf("%s is no attribute that defaults can give", path)
		}
	}
	rec.Overlay, err = schema.Encode(overlay)
	return err
}

// RestoreEntry checks an entry of the provisioning log that comes from a file.
func (d *Directory) RestoreEntry(e *store.Entry) error {
	switch _, valid := store.ParseID(e.ResourceID); {
	case e.ResourceID != "" && !valid:
		return errors.New("the resourceId is not a UUID in canonical form")
	case e.Sequence > MaxVersion:
		return fmt.Errorf("the sequence is greater than %d", MaxVersion)
	case e.Count > MaxVersion:
		return fmt.Errorf("the count is greater than %d", MaxVersion)
	}
	texts := []struct{ name, text string }{
		{"client", e.Client}, {"requestId", e.RequestID}, {"operation", e.Operation}, {"defaults", e.Defaults}, {"outcome", e.Outcome},
	}
	for _, attribute := range e.Attributes {
		texts = append(texts, struct{ name, text string }{"attributes", attribute})
	}
	for _, t := range texts {
		if !isLine(t.text) {
			return fmt.Errorf("%s accepts a text of at most %d bytes without control characters", t.name, store.MaxKey)
		}
	}
	return d.checkTime("time", e.Time)
}

// isLine tells whether a text can stand in an entry of the provisioning log.
func isLine(text string) bool {
	for _, r := range text {
		if unicode.IsControl(r) {
			return false
		}
	}
	return len(text) <= store.MaxKey
}

// checkTime checks a time that a file says something was done at.
func (d *Directory) checkTime(name string, t time.Time) error {
	if t.Before(time.Unix(0, 0)) || t.After(d.now().Add(maxSkew)) {
		return fmt.Errorf("%s: must be a time that was, and since 1970", name)
	}
	return nil
}

// restored is the resource type that restored records are held against: that of Recall, where it came.
func (d *Directory) restored(kind store.Kind) *schema.ResourceType {
	if recalled := d.recalled.Load(); recalled != nil {
		return recalled.of(kind)
	}
	return d.Type(kind)
}
