// The heap of the process (mimalloc): when it gives memory back that it does not need. In builds with another heap
// (sanitizers) these do nothing.
#pragma once

namespace sluice::heap {

// Once, at the start: memory stays with the heap while it is busy. Giving it back and taking it again would cost a
// handshake several page faults and a flush of address translations.
void configure() noexcept;

// Everything that this thread's heap does not need. Looks at each of its pages; what the thread holds from before is a
// little dearer to free afterwards, until the heap has taken it up again. For the quiet after a peak.
void give_back_spare_memory() noexcept;

}  // namespace sluice::heap
