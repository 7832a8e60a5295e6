/* Key pairs that sign, for the tests of those who have them from core alone. */
#ifndef CORE_KEY_PAIRS_TEST_H
#define CORE_KEY_PAIRS_TEST_H

#include "crypto/sign_keys_test.h"

#endif
