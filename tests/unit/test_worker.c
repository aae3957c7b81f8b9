/* rooms: base */
/* Processes, parcels and the judgement of workers. /bin/sh plays the worker. */
#include "test_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/worker.h"

static process start(const char *script, const int *fds, size_t n, double seconds) {
    process p;
    char *words[] = {"/bin/sh", "-c", (char *)(uintptr_t)script, NULL};
    assert_int_equal(process_start(&p, words, fds, n, seconds), 0);
    return p;
}

static process_end end_of(const char *script, double seconds) {
    process p = start(script, NULL, 0, seconds);
    process_end end;
    assert_int_equal(process_wait_any(&p, 1, 20000, &end), 0);
    assert_int_equal(p.id, 0);
    return end;
}

/* Nothing is left to wait for. */
static void assert_reaped(void) {
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void ends_are_told_apart(void **state) {
    (void)state;
    process_end end = end_of("exit 7", 20);
    assert_true(end.fate == PROCESS_EXITED && end.code == 7);
    end = end_of("kill -SEGV $$", 20);
    assert_true(end.fate == PROCESS_SIGNALLED && end.code == SIGSEGV);
    double begin = process_now();
    end = end_of("sleep 30", 0.2);
    assert_int_equal(end.fate, PROCESS_LATE);
    assert_true(process_now() - begin < 5);
    end = end_of("kill -STOP $$", 0.2);
    assert_int_equal(end.fate, PROCESS_LATE);
    assert_reaped();
}

static void the_first_of_several_is_found(void **state) {
    (void)state;
    process list[3] = {start("sleep 30", NULL, 0, 60), start("exit 3", NULL, 0, 60), start("sleep 30", NULL, 0, 60)};
    process_end end;
    assert_int_equal(process_wait_any(list, 3, 20000, &end), 1);
    assert_int_equal(end.code, 3);
    assert_int_equal(process_wait_any(list, 3, 50, &end), -1);
    process_kill(&list[0]);
    process_kill(&list[2]);
    assert_reaped();
}

/* What a process has started goes with it: the pipe that it holds is closed. */
static void its_group_goes_with_it(void **state) {
    (void)state;
    int ends[2];
    char c;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    process p = start("sleep 30 & exit 0", &ends[1], 1, 60);
    process_end end;
    double begin = process_now();
    close(ends[1]);
    assert_int_equal(process_wait_any(&p, 1, 20000, &end), 0);
    assert_int_equal(read(ends[0], &c, 1), 0);
    assert_true(process_now() - begin < 20);
    close(ends[0]);
    assert_reaped();
}

/* Numbers that are handed over may be those that are given. */
static void descriptors_keep_their_order(void **state) {
    (void)state;
    int a[2], b[2];
    char got[8] = "";
    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    process p = start("echo one >&3; echo two >&4; test ! -e /proc/$$/fd/5", (const int[]){b[1], a[1]}, 2, 60);
    process_end end;
    assert_int_equal(process_wait_any(&p, 1, 20000, &end), 0);
    assert_true(end.fate == PROCESS_EXITED && end.code == 0);
    assert_int_equal(read(b[0], got, 7), 4);
    assert_string_equal(got, "one\n");
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

static void what_cannot_start_says_why(void **state) {
    (void)state;
    process p;
    char *words[] = {"/nowhere/at/all", NULL};
    assert_int_equal(process_start(&p, words, NULL, 0, 1), ENOENT);
    assert_int_equal(p.id, 0);
    assert_reaped();
}

static void parcels_hold_texts_and_blobs(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    parcel p;
    const char *said;
    const uint8_t *all;
    size_t n;
    uint64_t at, next;
    char got[6];
    assert_int_equal(parcel_new(a, &p), STATUS_OK);
    assert_int_equal(parcel_read_text(&p, a, &said, &n), STATUS_INVALID);
    assert_int_equal(parcel_add(&p, "hello", 5, &at), STATUS_OK);
    assert_int_equal(parcel_add(&p, "again", 5, &next), STATUS_OK);
    assert_true(at % 64 == 0 && next % 64 == 0 && next > at);
    assert_int_equal(parcel_finish(&p, "the text", 8), STATUS_OK);
    assert_int_equal(parcel_read_text(&p, a, &said, &n), STATUS_OK);
    assert_string_equal(said, "the text");
    assert_true(parcel_read(&p, at, got, 5) && memcmp(got, "hello", 5) == 0);
    assert_false(parcel_read(&p, UINT64_MAX - 2, got, 5));
    assert_false(parcel_read(&p, next + 1000, got, 5));
    assert_int_equal(parcel_map(&p, a, &all, &n), STATUS_OK);
    assert_memory_equal(all + next, "again", 5);
    const uint64_t lies[] = {64, UINT64_MAX - 10};
    assert_int_equal(pwrite(p.fd, lies, sizeof lies, 0), sizeof lies);
    assert_int_equal(parcel_read_text(&p, a, &said, &n), STATUS_INVALID);
    arena_free(a);
}

static status stop_at_once(void *ctx) {
    (void)ctx;
    return STATUS_RESOURCE;
}

/* /bin/sh with three arguments runs a script of the first's name: there is none, and it ends with a status. */
static void workers_are_judged(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    parcel request, answer;
    worker_setup w = {.program = "/bin/sh", .seconds = 9, .bytes = (size_t)64 << 20};
    assert_int_equal(parcel_new(a, &request), STATUS_OK);
    assert_int_equal(parcel_new(a, &answer), STATUS_OK);
    worker_outcome o = worker_call(&w, "/nowhere", &request, &answer, a);
    assert_true(o.fate == WORKER_CRASHED && strstr(o.what, "before it was done") != NULL);
    o = worker_judge(&w, (process_end){PROCESS_SIGNALLED, SIGSEGV}, &answer, a);
    assert_int_equal(o.fate, WORKER_CRASHED);
    assert_string_equal(o.what, "crashed: signal 11 (Segmentation fault)");
    o = worker_judge(&w, (process_end){PROCESS_LATE, 0}, &answer, a);
    assert_string_equal(o.what, "was not done after 9 seconds");
    const uint64_t refused = 4096;
    assert_int_equal(pwrite(answer.fd, &refused, sizeof refused, offsetof(parcel_head, refused)), sizeof refused);
    o = worker_judge(&w, (process_end){PROCESS_SIGNALLED, SIGABRT}, &answer, a);
    assert_int_equal(o.fate, WORKER_OUT_OF_MEMORY);
    assert_non_null(strstr(o.what, "its limit of 64 MiB of memory refused it 4096 more bytes"));
    assert_int_equal(parcel_finish(&answer, "", 0), STATUS_OK);
    o = worker_judge(&w, (process_end){PROCESS_EXITED, 0}, &answer, a);
    assert_true(o.fate == WORKER_ANSWERED && o.what == NULL);
    w = (worker_setup){.program = "/bin/sleep", .seconds = 9, .check_stop = stop_at_once};
    assert_int_equal(worker_call(&w, "30", &request, &answer, a).fate, WORKER_STOPPED);
    w.program = "/nowhere";
    assert_int_equal(worker_call(&w, "x", &request, &answer, a).fate, WORKER_NOT_STARTED);
    arena_free(a);
    assert_reaped();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_told_apart),        cmocka_unit_test(the_first_of_several_is_found),
        cmocka_unit_test(its_group_goes_with_it),     cmocka_unit_test(descriptors_keep_their_order),
        cmocka_unit_test(what_cannot_start_says_why), cmocka_unit_test(parcels_hold_texts_and_blobs),
        cmocka_unit_test(workers_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
