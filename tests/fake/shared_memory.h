/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_SHARED_MEMORY_H
#define TESTS_FAKE_SHARED_MEMORY_H

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/* What outlives a process that is killed, for its parent and its successor:
 * zeroed; until munmap. */
static inline void *
shared_memory_new(size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

static inline void
shared_memory_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

#endif
