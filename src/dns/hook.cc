#include "dns/hook.h"

#include "io/blocking_socket.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <span>
#include <thread>
#include <utility>

namespace sluice::dns {

namespace {

constexpr Duration kLookAround = std::chrono::milliseconds(20);  // for its end, and for ours

// Both ends close on exec, so that no other child gets them; the child's copies have numbers of their own.
class Pipe {
 public:
  Pipe() noexcept {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) return;
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);  // the reading end alone
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }

  [[nodiscard]] bool is_open() const noexcept { return ends_[0] >= 0; }
  [[nodiscard]] int reading() const noexcept { return ends_[0]; }
  [[nodiscard]] int writing() const noexcept { return ends_[1]; }
  void close_writing() noexcept { close_end(1); }
  void close_reading() noexcept { close_end(0); }

 private:
  void close_end(size_t end) noexcept {
    if (ends_[end] >= 0) close(std::exchange(ends_[end], -1));
  }

  std::array<int, 2> ends_{-1, -1};
};

std::string spawn_failure(int error) {
  switch (error) {
    case ENOENT:
      return "there is no such file (ENOENT), or not the interpreter that its first line names; write the path of an "
             "executable";
    case EACCES: return errno_text(error) + "; let the user that sluice runs as execute it (chmod +x)";
    case ENOEXEC: return errno_text(error) + ": it is no program and no script that begins with #!";
    default: return errno_text(error);
  }
}

// posix_spawn(3) does between fork and exec only what may be done there in a process that has threads.
int spawn(const std::vector<std::string>& command, int output, pid_t& pid) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const char* path = std::getenv("PATH");
  std::string environment_path = std::string("PATH=") + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  std::array<char*, 2> environment{environment_path.data(), nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);

  const int error = posix_spawn(&pid, arguments[0], &actions, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// A child and what it writes.
class Run {
 public:
  explicit Run(const std::stop_token& stop) : stop_(stop) {}

  // The end of it, as waitpid(2) says it; or why it has not come to its end by itself.
  Result<int> run(const std::vector<std::string>& command, Duration time_max) {
    if (!pipe_.is_open()) return failure("no pipe for its output: " + errno_text(errno));
    if (const int error = spawn(command, pipe_.writing(), pid_); error != 0) return failure(spawn_failure(error));
    pipe_.close_writing();
    const bool has_ended = wait_until(io::deadline_in(time_max), false);
    if (!has_ended) {
      kill(-pid_, SIGTERM);
      wait_until(io::deadline_in(limits::dns_hook_grace), true);
    }
    // Whatever is left of its group, while the child, which nobody has waited for, keeps the group's number.
    kill(-pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0) {
      if (errno != EINTR) return failure("its exit status is not known: " + errno_text(errno));
    }
    read_output();
    if (has_ended) return status;
    if (stop_.stop_requested()) return failure("it was ended, since the process ends");
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(time_max).count();
    return failure(
        fmt::format("it did not end within {} s and was ended{}; make it faster, or give it more time "
                    "(timeout)",
                    seconds, output_text()));
  }

  // ": it wrote: TEXT", printable and on one line; nothing when it wrote nothing.
  [[nodiscard]] std::string output_text() const {
    std::string text;
    for (const char c : output_) {
      const bool is_space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
      if (is_space && (text.empty() || text.back() == ' ')) continue;
      text += is_space ? ' ' : c > ' ' && c <= '~' ? c : '?';
    }
    while (text.ends_with(' ')) text.pop_back();
    return text.empty() ? "" : ": it wrote: " + text;
  }

 private:
  // True: the child has ended, and is still to be waited for.
  bool wait_until(io::Deadline deadline, bool is_stopping) {
    while (true) {
      siginfo_t ended{};
      if (waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR)
        return true;
      if (ended.si_pid == pid_) return true;
      if (std::chrono::steady_clock::now() >= deadline) return false;
      if (!is_stopping && stop_.stop_requested()) return false;
      const io::Deadline next = std::min(deadline, io::deadline_in(kLookAround));
      if (pipe_.reading() < 0) {  // it has closed its output
        std::this_thread::sleep_until(next);
        continue;
      }
      io::Watch watch{.fd = pipe_.reading(), .wants_read = true};
      if (io::wait_ready(std::span(&watch, 1), next)) read_output();
    }
  }

  // What is there; only the beginning of all is kept, but all is read, so that the child can go on.
  void read_output() {
    std::array<char, 4096> room;
    // At most a pipe's worth at a time: a child that writes for ever does not hold us.
    for (int i = 0; i < 16 && pipe_.reading() >= 0; ++i) {
      const ssize_t count = read(pipe_.reading(), room.data(), room.size());
      if (count == 0) pipe_.close_reading();
      if (count <= 0) return;
      const size_t rest = limits::dns_hook_output_bytes_max - output_.size();
      output_.append(room.data(), std::min(static_cast<size_t>(count), rest));
    }
  }

  const std::stop_token& stop_;
  Pipe pipe_;
  pid_t pid_ = -1;
  std::string output_;
};

Status run(const std::vector<std::string>& command, Duration time_max, const std::stop_token& stop) {
  if (!command[0].starts_with('/')) return failure("its path is not absolute; write it from the root: /path/to/it");
  Run run(stop);
  const Result<int> status =
      run.run(command, std::clamp(time_max, Duration(std::chrono::seconds(1)), limits::dns_hook_time_max));
  if (!status) return std::unexpected(status.error());
  if (WIFSIGNALED(*status)) {
    const char* name = sigabbrev_np(WTERMSIG(*status));
    return failure(fmt::format("it was ended by the signal SIG{}{}", name != nullptr ? name : "?", run.output_text()));
  }
  if (WEXITSTATUS(*status) != 0) {
    return failure(fmt::format("it ended with the exit status {}{}", WEXITSTATUS(*status), run.output_text()));
  }
  return {};
}

}  // namespace

Status run_hook(const Hook& hook, Change change, const std::string& fqdn, const std::string& value,
                const std::stop_token& stop) {
  if (hook.command.empty()) return failure("cannot run a hook without a command; write its path into hook.command");
  const char* const word = change == Change::add ? "present" : "cleanup";
  std::vector<std::string> command = hook.command;
  command.insert(command.end(), {word, fqdn, value});
  const Status status = run(command, hook.time_max, stop);
  if (status) return status;
  return failure(fmt::format("cannot {} the TXT record of {} by {} {}: {}", change == Change::add ? "add" : "remove",
                             fqdn, hook.command[0], word, status.error().message));
}

}  // namespace sluice::dns
