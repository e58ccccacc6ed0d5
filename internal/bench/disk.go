package main

import (
	"errors"
	"fmt"
	"os"
)

// errVolatile is returned for a folder that no power cut would leave: figures
// taken there say nothing about durability.
var errVolatile = errors.New("is kept in memory: give a folder on a real disk with -dir")

// workFolder makes a folder for the run inside dir, and names the file system
// that it is on.
func workFolder(dir string) (own, fs string, err error) {
	own, err = os.MkdirTemp(dir, "data-")
	if err != nil {
		return "", "", err
	}
	fs, volatile, err := fileSystem(own)
	if err == nil && volatile {
		err = fmt.Errorf("%s (%s) %w", dir, fs, errVolatile)
	}
	if err != nil {
		return "", "", errors.Join(err, os.RemoveAll(own))
	}
	return own, fs, nil
}
