package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/store"
)

// generationKey has in the store's metadata which declarations are in force, for all replicas: the generation of what stands under
// store.MetaSchemas, or underChange and something of its own while stored values are held against others. A transaction that writes values of
// declared schemas requires the generation that they are of.
const (
	generationKey = "schemas-generation"
	underChange   = "changing "
)

// generation names declarations as store.MetaSchemas has them.
func generation(kept string) string {
	if kept == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(kept))
	return hex.EncodeToString(sum[:])
}

// hold keeps all replicas from writing values of declared schemas while those that are stored are held against the new declarations,
// where there is anything that they may contradict. It waits for who is writing some. It returns what stands under generationKey
// then, "" where nobody need be held up.
func (d *Directory) hold(ctx context.Context, kept string, known declarations, declared []v1alpha1.SchemaExtension) (changing string, err error) {
	doubted := false
	for _, extension := range declared {
		doubted = doubted || len(doubts(known.of(extension.ID), extension)) > 0
	}
	if !doubted {
		return "", nil
	}
	id, err := d.newID()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	changing = underChange + id.String()
	return changing, d.store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Meta(ctx, generationKey); err != nil {
			return err
		}
		if stands, err := tx.Meta(ctx, store.MetaSchemas); err != nil || stands != kept {
			return errors.Join(err, errOvertaken)
		}
		return tx.SetMeta(ctx, generationKey, changing)
	})
}

// letGo undoes hold where the change has failed: it will be tried again, and may fail for long.
func (d *Directory) letGo(ctx context.Context, changing string) error {
	if changing == "" {
		return nil
	}
	return d.store.Update(ctx, func(tx store.Tx) error {
		if current, err := tx.Meta(ctx, generationKey); err != nil || current != changing {
			return err
		}
		stands, err := tx.Meta(ctx, store.MetaSchemas)
		if err != nil {
			return err
		}
		return tx.SetMeta(ctx, generationKey, generation(stands))
	})
}

// current requires that the declarations of t are in force where one of the attributes that a write changes is of any.
func (t *types) current(ctx context.Context, tx store.Tx, names []string) error {
	if t.generation == "" || !slices.ContainsFunc(names, t.declares) {
		return nil
	}
	return tx.RequireMeta(ctx, generationKey, t.generation)
}

func (t *types) declares(name string) bool {
	return slices.ContainsFunc(t.declared, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// adopt puts the declarations in force that are so in the store, where a write has found that its own are not.
func (d *Directory) adopt(ctx context.Context) {
	kept, err := d.store.Meta(ctx, store.MetaSchemas)
	if before := d.types.Load(); err == nil && generation(kept) != before.generation {
		if known, err := parseDeclarations(kept); err == nil {
			current := known.types()
			current.refused, current.generation = before.refused, generation(kept)
			d.types.CompareAndSwap(before, current)
		}
	}
}
