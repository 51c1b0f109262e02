// Trap 20: where io_uring is forbidden, the program must say so, and what to do. A child process forbids it
// to itself as a container's seccomp profile does.
#include "io/loop.h"

#include <gtest/gtest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>

namespace sluice::io {
namespace {

// From now on io_uring_setup(2) gives `error`.
bool forbid_io_uring(int error) {
  std::array<sock_filter, 4> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// What Loop::create() says in such a process; empty when it has made a ring all the same.
std::string message_when_forbidden(int error) {
  int pipe_fds[2];
  EXPECT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::string message = "cannot install the seccomp filter";
    if (forbid_io_uring(error)) {
      const auto loop = Loop::create();
      message = loop ? "" : loop.error().message;
    }
    const bool is_written = write(pipe_fds[1], message.data(), message.size()) == static_cast<ssize_t>(message.size());
    _exit(is_written ? 0 : 1);
  }
  close(pipe_fds[1]);
  std::string message(4096, '\0');
  const ssize_t count = read(pipe_fds[0], message.data(), message.size());
  message.resize(count > 0 ? static_cast<size_t>(count) : 0);
  close(pipe_fds[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return message;
}

TEST(RingForbidden, BySeccompOrSysctlIsToldWithCauseAndRemedy) {
  const std::string message = message_when_forbidden(EPERM);
  EXPECT_NE(message.find("cannot create an io_uring"), std::string::npos) << message;
  EXPECT_NE(message.find("EPERM"), std::string::npos) << message;
  EXPECT_NE(message.find("kernel.io_uring_disabled must be 0"), std::string::npos) << message;
  EXPECT_NE(message.find("seccomp profile must allow io_uring_setup"), std::string::npos) << message;
}

TEST(RingForbidden, ByAProfileThatHidesTheCallIsToldWithCauseAndRemedy) {
  const std::string message = message_when_forbidden(ENOSYS);
  EXPECT_NE(message.find("ENOSYS"), std::string::npos) << message;
  EXPECT_NE(message.find("has no io_uring, or a seccomp profile hides it"), std::string::npos) << message;
}

TEST(RingForbidden, ByTheLimitOfLockedMemoryIsToldWithTheRemedy) {
  const std::string message = message_when_forbidden(ENOMEM);
  EXPECT_NE(message.find("LimitMEMLOCK=infinity"), std::string::npos) << message;
}

TEST(RingForbidden, ByASecurityModuleIsToldAsSuch) {
  EXPECT_NE(message_when_forbidden(EACCES).find("a security module forbids io_uring"), std::string::npos);
}

}  // namespace
}  // namespace sluice::io
