/* tenon-worker: does in a process of its own what must not end another. The work is the library's. */
#include <tenon/tenon.h>

int main(int argc, char **argv) {
    return tenon_worker(argc, argv);
}
