package directory

import (
	"errors"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Restore fills in what a record that comes from an export owes to its document: the key as an earlier version made it, for
// store.Tx.Rekey to bring up to date, the narrow columns and the index. The error says what is wrong with the document, without its values.
func (d *Directory) Restore(rec *store.Record) error {
	document, err := schema.Decode(rec.Document)
	if err != nil {
		return fmt.Errorf("document: %w", err)
	}
	key, _ := document[uniqueAttribute(rec.Kind)].(string)
	if key == "" {
		return fmt.Errorf("document: it has no %s", uniqueAttribute(rec.Kind))
	}
	rec.Key = schema.Fold(key) // and not FoldName: what was exported may have two names that are one by now
	rec.ExternalID, _ = document["externalId"].(string)
	rec.Active = true
	if rec.Kind == store.User {
		// Each export has it, so nobody has to guess whether somebody may sign in.
		active, given := document["active"].(bool)
		if !given {
			return errors.New("document: it has no active that is true or false")
		}
		rec.Active = active
	}
	seen, err := overlaid(rec, document)
	if err != nil {
		return err
	}
	rec.Index = d.Type(rec.Kind).IndexKeys(seen)
	return nil
}
