#include "io/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::io {

Mailbox::Mailbox(Loop& loop, WakeHandler on_wake, void* owner) noexcept
    : loop_(loop), on_wake_(on_wake), owner_(owner), op_(on_read, this) {}

Mailbox::~Mailbox() {
  if (fd_ >= 0) close(fd_);
}

Status Mailbox::start() {
  fd_ = eventfd(0, EFD_CLOEXEC);
  if (fd_ < 0)
    return failure("cannot create an eventfd: " + errno_text(errno) + "; raise the descriptor limit (ulimit -n)");
  loop_.read(op_, fd_, count_);
  return {};
}

void Mailbox::wake() noexcept {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

void Mailbox::stop() noexcept {
  stopping_ = true;
  if (!op_.is_idle()) loop_.cancel(op_);
}

void Mailbox::on_read(void* self, const Completion&) {
  Mailbox& mailbox = *static_cast<Mailbox*>(self);
  if (mailbox.stopping_) return;
  mailbox.loop_.read(mailbox.op_, mailbox.fd_, mailbox.count_);
  mailbox.on_wake_(mailbox.owner_);
}

}  // namespace sluice::io
