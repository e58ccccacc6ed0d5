package journal

import (
	"fmt"
	"os"
)

// remember keeps which file is open, to tell it from another one of its name.
func (f *File) remember() (err error) {
	f.inode, err = os.Stat(f.real)
	return err
}

// inPlace returns an error when the file that is open is not the one at the
// journal's path any more: what is committed to a file that was deleted or
// renamed over is on no disk that anyone will look at.
func (f *File) inPlace() error {
	now, err := os.Stat(f.real)
	if err == nil && !os.SameFile(now, f.inode) {
		err = fmt.Errorf("another file stands there")
	}
	if err != nil {
		return fmt.Errorf("the journal at %s was deleted or replaced while open: %w", f.path, err)
	}
	return nil
}
