"""An API server of Kubernetes for tests: real TLS, real HTTP, and as much behind it as the tests ask."""
