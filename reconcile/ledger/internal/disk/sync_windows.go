// Package disk makes names durable.
package disk

// SyncFolder does nothing: Windows has no call for it.
func SyncFolder(string) error { return nil }
