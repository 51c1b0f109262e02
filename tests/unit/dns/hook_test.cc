#include "dns/hook.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>

namespace sluice::dns {
namespace {

using namespace std::chrono_literals;

constexpr const char* kName = "_acme-challenge.example.com.";

// A folder for a script and what it writes.
class HookTest : public testing::Test {
 protected:
  HookTest() {
    std::string place = testing::TempDir() + "hook.XXXXXX";
    EXPECT_NE(mkdtemp(place.data()), nullptr);
    folder_ = place;
  }
  ~HookTest() override { std::filesystem::remove_all(folder_); }

  std::string script(const std::string& text, mode_t mode = 0755) const {
    const std::string path = folder_ + "/hook";
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string shell(const std::string& commands) const { return script("#!/bin/sh\n" + commands + "\n"); }

  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ + "/" + name).rdbuf();
    return text.str();
  }

  // "" on success.
  static std::string fault(std::vector<std::string> command, Duration time_max = 20s, const std::stop_token& stop = {},
                           Change change = Change::add) {
    const Status status =
        run_hook({.command = std::move(command), .time_max = time_max}, change, kName, "-value", stop);
    return status ? "" : status.error().message;
  }

  // The processes whose numbers a script has written have ended, or end soon.
  void expect_ended(const std::string& name) const {
    const auto pid = static_cast<pid_t>(std::stol(read(name)));
    for (int i = 0; i < 500 && kill(pid, 0) == 0; ++i) std::this_thread::sleep_for(10ms);
    // One that ended and that nobody has waited for is fine too: who does is not ours.
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(status)), {});
    EXPECT_TRUE(text.empty() || text.find(") Z ") != std::string::npos) << text;
  }

  std::string folder_;
};

TEST_F(HookTest, GetsTheArgumentsOfTheDocumentThenTheActionTheNameAndTheValue) {
  const std::string path = shell("printf '<%s>' \"$@\" > " + folder_ + "/arguments");
  EXPECT_EQ(fault({path, "--zone", "a b"}), "");
  EXPECT_EQ(read("arguments"), "<--zone><a b><present><_acme-challenge.example.com.><-value>");
  EXPECT_EQ(fault({path}, 20s, {}, Change::remove), "");
  EXPECT_EQ(read("arguments"), "<cleanup><_acme-challenge.example.com.><-value>");
}

TEST_F(HookTest, HasPathInItsEnvironmentAndNoneOfOurDescriptorsSignalsOrSecrets) {
  setenv("SLUICE_TEST_SECRET", "secret", 1);
  const int ours = 100;
  ASSERT_EQ(dup2(STDERR_FILENO, ours), ours) << "without O_CLOEXEC";
  signal(SIGPIPE, SIG_IGN);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const std::string path = shell("cd " + folder_ +
                                 "\ntr '\\0' '\\n' < /proc/$$/environ > environment\nls /proc/$$/fd > descriptors\n"
                                 "readlink /proc/$$/fd/0 > input\ngrep -E '^Sig(Blk|Ign)' /proc/self/status > signals\n"
                                 "cut -d' ' -f5 /proc/$$/stat > group\necho $$ > number");
  EXPECT_EQ(fault({path}), "");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  signal(SIGPIPE, SIG_DFL);
  close(ours);
  unsetenv("SLUICE_TEST_SECRET");
  EXPECT_TRUE(read("environment").starts_with("PATH=")) << read("environment");
  EXPECT_EQ(read("environment").find("SLUICE"), std::string::npos) << read("environment");
  EXPECT_EQ(read("input"), "/dev/null\n");
  EXPECT_EQ(("\n" + read("descriptors")).find("\n100\n"), std::string::npos) << read("descriptors");
  // A child has the mask of the shell, which itself blocks everything while it makes one. glibc ignores two signals of
  // its own, 32 and 33, in every child.
  std::istringstream signals(read("signals"));
  std::string word;
  for (uint64_t mask = 0; signals >> word >> std::hex >> mask;) EXPECT_EQ(mask & 0x7fff'ffff, 0U) << word;
  EXPECT_EQ(read("group"), read("number")) << "a process group of its own";
}

TEST_F(HookTest, ThatFailsIsToldWithItsStatusAndWhatItWrote) {
  const std::string path = shell("echo 'no such\tzone'; printf 'caf\\303\\251 \\033[1mred\\n' >&2; exit 3");
  const std::string text = fault({path});
  EXPECT_EQ(text, "cannot add the TXT record of _acme-challenge.example.com. by " + path +
                      " present: it ended with the exit status 3: it wrote: no such zone caf?? ?[1mred");
  EXPECT_NE(fault({path}, 20s, {}, Change::remove).find("cannot remove the TXT record"), std::string::npos);
}

TEST_F(HookTest, ThatWritesMuchIsReadToItsEndAndToldToABound) {
  const std::string path = shell("i=0; while [ $i -lt 20000 ]; do echo 'a line of output'; i=$((i+1)); done; exit 1");
  const std::string text = fault({path});
  EXPECT_NE(text.find("exit status 1: it wrote: a line of output a line"), std::string::npos);
  EXPECT_LT(text.size(), limits::dns_hook_output_bytes_max + 300);
  EXPECT_GT(text.size(), limits::dns_hook_output_bytes_max);
}

TEST_F(HookTest, ThatIsKilledIsToldWithTheSignal) {
  EXPECT_NE(fault({shell("kill -SEGV $$")}).find("ended by the signal SIGSEGV"), std::string::npos);
}

TEST_F(HookTest, ThatHangsEndsWithAllOfItsChildren) {
  const std::string path = shell("echo waiting for the zone\nsleep 300 & echo $! > " + folder_ + "/child\necho $$ > " +
                                 folder_ + "/parent\nwait");
  const auto started = std::chrono::steady_clock::now();
  const std::string text = fault({path}, 1s);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 15s);
  EXPECT_NE(text.find("did not end within 1 s and was ended: it wrote: waiting for the zone; make it faster"),
            std::string::npos)
      << text;
  expect_ended("child");
  expect_ended("parent");
}

TEST_F(HookTest, ThatDoesNotListenToSigtermIsKilledAfterAGrace) {
  const std::string path = shell("trap '' TERM\necho $$ > " + folder_ + "/parent\nwhile :; do sleep 0.1; done");
  const auto started = std::chrono::steady_clock::now();
  EXPECT_NE(fault({path}, 1s).find("did not end within 1 s"), std::string::npos);
  EXPECT_GE(std::chrono::steady_clock::now() - started, 1s + limits::dns_hook_grace);
  expect_ended("parent");
}

TEST_F(HookTest, ThatHasEndedIsNotWaitedForWhenAChildOfItKeepsTheOutputOpen) {
  const std::string path = shell("sleep 300 & echo $! > " + folder_ + "/child");
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(fault({path}), "");
  EXPECT_LT(std::chrono::steady_clock::now() - started, 15s);
  expect_ended("child");
}

TEST_F(HookTest, ThatClosesItsOutputIsWaitedFor) {
  EXPECT_NE(fault({shell("exec >&- 2>&-; sleep 0.3; exit 4")}).find("exit status 4"), std::string::npos);
}

TEST_F(HookTest, EndsWhenTheProcessEnds) {
  std::stop_source stop;
  const std::string path = shell("echo $$ > " + folder_ + "/parent; exec sleep 300");
  std::jthread stopper([&] {
    while (read("parent").empty()) std::this_thread::sleep_for(5ms);
    stop.request_stop();
  });
  const auto started = std::chrono::steady_clock::now();
  EXPECT_NE(fault({path}, 60s, stop.get_token()).find("it was ended, since the process ends"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 15s);
  expect_ended("parent");
}

TEST_F(HookTest, ThatCannotBeStartedIsToldWithTheReason) {
  EXPECT_NE(fault({folder_ + "/missing"}).find("there is no such file (ENOENT)"), std::string::npos);
  EXPECT_NE(fault({script("#!/no/such/interpreter\n")}).find("the interpreter that its first line names"),
            std::string::npos);
  EXPECT_NE(fault({script("#!/bin/sh\n", 0644)}).find("chmod +x"), std::string::npos);
  EXPECT_NE(fault({folder_}).find("EACCES"), std::string::npos);
  EXPECT_NE(fault({script("echo without a first line\n")}).find("no script that begins with #!"), std::string::npos);
  EXPECT_NE(fault({"hook"}).find("its path is not absolute"), std::string::npos);
  EXPECT_NE(fault({}).find("without a command"), std::string::npos);
}

TEST_F(HookTest, LeavesNoDescriptorAndNoChildBehind) {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = count();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(fault({shell("exit 0")}), "");
    EXPECT_NE(fault({folder_ + "/missing"}), "");
  }
  EXPECT_EQ(count(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace sluice::dns
