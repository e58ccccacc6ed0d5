package isolink

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/codec"
)

// Memory keeps what a link has learned of its host over a restart: how long
// sign-ins took, and the downloaded parameters; nothing secret. A link calls it
// from one goroutine at a time. What is lost is learned anew.
type Memory interface {
	// Load returns what Save kept last, nil if there is nothing.
	Load() ([]byte, error)
	// Save keeps b, at most 16 KiB, in place of what was kept before: after a
	// crash Load finds the one or the other, whole.
	Save(b []byte) error
}

// MemoryFile is a Memory in a file of its own, mode 0600, one for each link. Save
// writes path.new, syncs it and renames it.
func MemoryFile(path string) Memory { return memoryFile(path) }

type memoryFile string

// maxMemory bounds what is read of a memory.
const maxMemory = 16 << 10

func (f memoryFile) Load() ([]byte, error) {
	info, err := os.Stat(string(f))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > maxMemory:
		return nil, errMemory
	}
	return os.ReadFile(string(f))
}

func (f memoryFile) Save(b []byte) error {
	fresh := string(f) + ".new"
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, string(f)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(string(f)))
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every system syncs a folder
	return dir.Close()
}

var errMemory = errors.New("the link's memory is not of a form that this version reads")

// kept is what a Memory keeps.
type kept struct {
	Form         int          `json:"form"`
	Hours        [24]HourTime `json:"hours"` // of sign-ins, by the hour of Options.Zone
	Parameters   []byte       `json:"parameters,omitempty"`
	ParametersAt time.Time    `json:"parameters_at,omitzero"`

	list codec.Parameters62 // Parameters, taken apart
}

const memoryForm = 1

// remember loads the memory. What cannot be read is forgotten, and told.
func (l *Link) remember() {
	l.kept.Form = memoryForm
	if l.opts.Memory == nil {
		return
	}
	b, err := l.opts.Memory.Load()
	var k kept
	if err == nil && len(b) > 0 {
		k, err = decodeKept(b)
	}
	if err != nil {
		l.tell(Event{Kind: MemoryLost, Err: err})
		return
	}
	if len(b) > 0 {
		l.kept = k
	}
}

func decodeKept(b []byte) (k kept, err error) {
	if len(b) > maxMemory || json.Unmarshal(b, &k) != nil || k.Form != memoryForm {
		return kept{}, errMemory
	}
	for _, h := range k.Hours {
		if h.Count < 0 || h.Mean < 0 {
			return kept{}, errMemory
		}
	}
	k.list, err = codec.ParseParameters62(k.Parameters)
	return k, err
}

// keep changes what is remembered and saves it. It needs the turn.
func (l *Link) keep(change func(*kept)) {
	l.mu.Lock()
	change(&l.kept)
	k := l.kept
	l.mu.Unlock()
	if l.opts.Memory == nil {
		return
	}
	b, err := json.Marshal(k)
	if err == nil {
		err = l.opts.Memory.Save(b)
	}
	if err != nil {
		l.tell(Event{Kind: MemoryLost, Err: err})
	}
}
