package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// migrated is the end of the name under which Migrate keeps the old file.
const migrated = ".migrated"

// Migrate writes the journal at path, of an older format, into a fresh one of
// this format, whose keyspaces rebuild fills, examines that and puts it in the
// old one's place. The old file is kept beside it, as path.migrated, until the
// journal is opened after a clean end for the first time.
//
// A crash at any point leaves the old file or the whole fresh one at path, once
// it is opened again. Errors: *lock.HeldError, seal.ErrKey, ErrFormat,
// ErrDamaged, those of rebuild and of the file system; on all of them the old
// file is as it was.
func Migrate(ctx context.Context, path string, o Options, rebuild Rebuild) error {
	aside := func(real string) string { return real + migrated }
	_, err := renew(ctx, path, o, rebuild, aside, func(old *Remains) error {
		if r := old.report; !r.Whole || len(r.Damage) > 0 {
			return fmt.Errorf("%w: it is salvaged first", ErrDamaged)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("migrate %s: %w", path, err)
	}
	return nil
}

// DropMigrated removes what Migrate kept of the journal at path, if anything.
func DropMigrated(path string) error {
	if err := os.Remove(path + migrated); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
