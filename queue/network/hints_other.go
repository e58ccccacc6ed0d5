//go:build !linux

package network

import "errors"

// listen is not to be had here.
func listen() (hints <-chan struct{}, stop func(), err error) {
	return nil, nil, errors.ErrUnsupported
}
