/* Key pairs as BIND's dnssec-keygen wrote them, one of each algorithm that signs; for tests alone. */
#ifndef CRYPTO_SIGN_KEYS_TEST_H
#define CRYPTO_SIGN_KEYS_TEST_H

#include <stdint.h>

struct key_pair {
	uint8_t algorithm;
	const char *public;     /* the DNSKEY's last field */
	const char *private;    /* the .private file */
};

static const struct key_pair key_pairs[] = {
	{ 8,
	  "AwEAAewaywkBqsN8OKxaE9OZPWpG6+jbFNnl9MnQc5DZywwm2ZwV3hvk744RQBitQ7E4gD4t0pwrMDYefaVqYnjSj1"
	  "CluDU9Xk/iXX6GhuyteiBz6O7lkF8kqKLTiBHk5Yc6Mqj189AaWVG3XO7ciQH6r8VqUIDYbnYP4jvJTD2XFJJX",
	  "Private-key-format: v1.3\n"
	  "Algorithm: 8 (RSASHA256)\n"
	  "Modulus: 7BrLCQGqw3w4rFoT05k9akbr6NsU2eX0ydBzkNnLDCbZnBXeG+TvjhFAGK1DsTiAPi3SnCswNh59pWpie"
	  "NKPUKW4NT1eT+JdfoaG7K16IHPo7uWQXySootOIEeTlhzoyqPXz0BpZUbdc7tyJAfqvxWpQgNhudg/iO8lMPZcUklc"
	  "=\n"
	  "PublicExponent: AQAB\n"
	  "PrivateExponent: uDobzPZJCWnnSsyqhcQfgMrADxzLQ07EV6jYU+EtJ1k1GS6S9Y8IQQFC0z53AFSG9H2KxaKJZ"
	  "uEZxzWgiog5nANTWqMwh7vA8cpQjtN97U/YxOVS6lBdRb7syJ4hhkgGosMaLfZjye1ozWX0b6mCW0x0OKRvxiXgNaH"
	  "ycj/uDOk=\n"
	  "Prime1: +CnVbe7tPEyj0FEY6Lt7awLq3yDrWjwtnh3PFouS/8Yx9S6j4dNDIaRzKoPIn/0iz7Fr99QgtCOlLaHeIF"
	  "2kiw==\n"
	  "Prime2: 8495zferHc9OU+XF5CZLDh/g0kRhkSAO6/tpbxvFO441Gm1UTqmCTmYz8X1Ex1OMk+zyZtIowVe79U94Vm"
	  "Nm5Q==\n"
	  "Exponent1: N4T0cOHRRXpH8+UQ05COLgS7EyxEOy3XbtZwbDTRsFNg/d9vXqhrDm3CLjLJgbGaRikFZK6amnKXE7x"
	  "w+4C3vQ==\n"
	  "Exponent2: cg83yIf6n5wsn0eUc/Km5XdyTqXtVww/UK3NQ1Yq+GfxYG3gtHHXbyWXn7i9U+dBhyjIn/Q9V8XhZNE"
	  "Rlss4LQ==\n"
	  "Coefficient: 9NsSuHPPVnYr2U/11PMfGDLZEUAEIpAP4tI2AOxNajXgb03iCYumT/l0TSkKX7qIWyweaJ55irQ0S"
	  "vnaJTFbgg==\n" },
	{ 10,
	  "AwEAAbJk8plsJABTyEZgrydg3rupblvWxnGl71XySK6DjGw3kNBJW4XXrYDkqOravd9zteFkD/jM+a2/E03MPU0wtt"
	  "tRBK8HaYTvdJ82wr3YlUQU7somp+yhNFkmVP3drTk8+nebC2HS/baMV68QV7ffafdOPsD3/05GYN0//QuCC4pv",
	  "Private-key-format: v1.3\n"
	  "Algorithm: 10 (RSASHA512)\n"
	  "Modulus: smTymWwkAFPIRmCvJ2Deu6luW9bGcaXvVfJIroOMbDeQ0ElbhdetgOSo6tq933O14WQP+Mz5rb8TTcw9T"
	  "TC221EErwdphO90nzbCvdiVRBTuyian7KE0WSZU/d2tOTz6d5sLYdL9toxXrxBXt99p904+wPf/TkZg3T/9C4ILim8"
	  "=\n"
	  "PublicExponent: AQAB\n"
	  "PrivateExponent: ZR5LVSOzFGxpLVtIbS2/kufrIiuPuIOyMilvgVwXkI++ihHKywcB1fnGtbjfv3U7N1Mcqo6lS"
	  "BLywjpu1P4z5xHeFOKMq66//LLN52RRQr6fCg4C7WFaj8r2F/VG4OZIkGzWUfN7q85FmgZFiAecAzlXZTSYHQmKRSS"
	  "fbtMwaOE=\n"
	  "Prime1: 6D4bvmli7K9YKL7CXIofCL29j2GOWKHKxICfyzbFFCkPCAM1JOqkrgRgEiP8LZLroxO3H5hvoAan9uq7nw"
	  "5cxQ==\n"
	  "Prime2: xKStsD/1fyXl7CzDmBnCxxmyVaKGDvYPNl+bmjr66zL/u8Ezsl0PbedqXcZBS+ARSFsKNChzTHdhpVQ5im"
	  "Ylow==\n"
	  "Exponent1: dELjUKchRqtgzsTwN7NNZerWgnir8eLMxyI83FZGwpjrVW+Foz1zw0mdbndlPstV+wVbnw2Ik+vBGfL"
	  "Yif9+oQ==\n"
	  "Exponent2: ZbkCmIAdkO6b5/aoH9CDr9cdJ6txSeADso72wWvtTSoOnKOvCH+XcbUakvPx5zw79IAT4TNjoZTIEGx"
	  "nb66znQ==\n"
	  "Coefficient: IRaUIvf72vgCTgd67n4KbCr57usxQnRyU0ue4UB74CyJa2JafKVXRGOKeUnLSq/ub61lOiVV87XX9"
	  "mGxlanGJQ==\n" },
	{ 13,
	  "Sya1hE7nQg831eU7E5+xdqV+cNYxDO/WX5qZFdoqDp2DYwAodoaA98doeURCEvr6e9MVhUnweNg5NhgDNPjWtA==",
	  "Private-key-format: v1.3\n"
	  "Algorithm: 13 (ECDSAP256SHA256)\n"
	  "PrivateKey: B5dv1q2I08rCrALAqqM2Cw4Lt60I52dHkHnehyt4jsU=\n" },
	{ 14,
	  "TGujd8ODonesc3AWNC1BWIWaJ2Mlzxa5FYrTC7b00x+nLjGTcSjANby4gUIc5v4LQWgyih1SpXY6mUzJwlTnebUF7q"
	  "tKqyCKBzNZLmyDjLEPzGrjhFVsAmgBAHdTsWqc",
	  "Private-key-format: v1.3\n"
	  "Algorithm: 14 (ECDSAP384SHA384)\n"
	  "PrivateKey: C4lfhyOinJtHbqqtOxk7kifbHP990pRQzPc2CRoZvUblzc3pTJs0moAdfyx1JhW5\n" },
	{ 15,
	  "1YbSJuqFiiT5zJ0WxZb8AfUu14DcKSB1fgSiXlnGm10=",
	  "Private-key-format: v1.3\n"
	  "Algorithm: 15 (ED25519)\n"
	  "PrivateKey: FYDHieuOhy9n0PJRTJ68O4s15SLuFEV1zFY36n45PLc=\n" },
};

#endif
