/* Any bytes as a kubeconfig: a login whose texts are whole, or an error with words. */
#include "base/assert.h"
#include "core/kube_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct json_error error = { 0 };
	struct kube_config c;
	struct kube_config_text from = { .text = span_of(data, size < 8192 ? size : 8192), .folder = "/etc/" };
	arena_init(&a, 4u << 20);
	if (kube_config_read(&a, &from, &c, &error) == OK)
		ASSERT(strncmp(c.base, "http", 4) == 0 && (c.login.ca_file == NULL || *c.login.ca_file == '/'));
	else
		ASSERT(*error.text != 0);
	arena_free(&a);
	return 0;
}
