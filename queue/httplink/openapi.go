package httplink

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.yaml
var openapi string

// OpenAPI returns the description of the protocol, OpenAPI 3.1 in YAML. It is
// held to the types of package wire by a test.
func OpenAPI() string { return openapi }

// ServeOpenAPI answers a request with OpenAPI, for a host that tells it.
func ServeOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write([]byte(openapi)) // a connection that broke has nobody to tell
}
