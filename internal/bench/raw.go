package main

import (
	"errors"
	"os"
	"path/filepath"
)

// rawSize is up to where the file is filled: further than any round comes.
const rawSize = 32 << 20

var errRawFull = errors.New("raw file: more records than were planned for")

// rawFile is the least that a durable append can cost.
type rawFile struct {
	*committer
	f   *os.File
	off int64
	buf []byte
}

func openRaw(dir string, writers int) (appender, error) {
	f, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(make([]byte, rawSize), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := &rawFile{f: f}
	r.committer = newCommitter(writers, r.write)
	return r, nil
}

func (r *rawFile) write(records [][]byte) error {
	r.buf = r.buf[:0]
	for _, rec := range records {
		r.buf = append(r.buf, rec...)
	}
	if r.off+int64(len(r.buf)) > rawSize {
		return errRawFull
	}
	if _, err := r.f.WriteAt(r.buf, r.off); err != nil {
		return err
	}
	r.off += int64(len(r.buf))
	return datasync(r.f)
}

func (r *rawFile) Close() error {
	r.end()
	return r.f.Close()
}
