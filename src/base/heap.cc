#include "base/heap.h"

#ifdef SLUICE_HAS_MIMALLOC
#include <mimalloc.h>
#endif

namespace sluice::heap {

#ifdef SLUICE_HAS_MIMALLOC

namespace {
constexpr long kDelayMs = 2000;  // of pages that became free
}

void configure() noexcept {
  mi_option_set(mi_option_decommit_delay, kDelayMs);
  mi_option_enable(mi_option_abandoned_page_decommit);
}

// mimalloc 2.0 gives free pages back, after the delay, only when pages beside them are taken or freed; and at once when
// a thread ends. So this one ends, as far as the heap knows, and begins anew, with a heap that takes up what was left
// when it needs some. What was left by earlier calls, and has been freed since, is only looked at by collecting.
void give_back_spare_memory() noexcept {
  mi_thread_done();
  mi_thread_init();  // without a heap of its own, the thread collects nothing
  mi_collect(/*force=*/true);
}

#else

void configure() noexcept {}
void give_back_spare_memory() noexcept {}

#endif

}  // namespace sluice::heap
