#include "control/service_manager.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace sluice::control {
namespace {

// Stands for systemd: what sd_notify(3) sends to NOTIFY_SOCKET.
class ServiceManager : public testing::Test {
 protected:
  ServiceManager() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "sluice-service-manager-test-" + std::to_string(getpid());
    std::memcpy(address.sun_path + 1, name.data(), name.size());  // abstract: unix(7)
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~ServiceManager() override {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    close(fd_);
  }

  std::string next_message() const {
    char room[512];
    const ssize_t size = recv(fd_, room, sizeof room, MSG_DONTWAIT);
    return size < 0 ? "nothing" : std::string(room, static_cast<size_t>(size));
  }

  int fd_;
};

TEST_F(ServiceManager, HearsOfEveryChange) {
  notify_ready("serving");
  EXPECT_EQ(next_message(), "READY=1\nSTATUS=serving");
  notify_stopping("draining");
  EXPECT_EQ(next_message(), "STOPPING=1\nSTATUS=draining");
  notify_watchdog();
  EXPECT_EQ(next_message(), "WATCHDOG=1");
}

TEST_F(ServiceManager, HearsWhenAReloadBegan) {
  timespec before{};
  clock_gettime(CLOCK_MONOTONIC, &before);
  notify_reloading();
  const std::string message = next_message();
  const std::string start = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_TRUE(message.starts_with(start)) << message;
  const auto told_us = std::stoull(message.substr(start.size()));
  const auto before_us = static_cast<unsigned long long>(before.tv_sec) * 1'000'000 +
                         static_cast<unsigned long long>(before.tv_nsec) / 1000;
  EXPECT_GE(told_us, before_us);
  EXPECT_LT(told_us, before_us + 60'000'000);
}

TEST_F(ServiceManager, SaysHowLongItWaits) {
  EXPECT_FALSE(watchdog_interval().has_value());
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(watchdog_interval(), std::chrono::seconds(30));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(watchdog_interval().has_value()) << "another process is meant";
}

TEST(WithoutAServiceManager, NothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  notify_ready("serving");
  notify_watchdog();
}

}  // namespace
}  // namespace sluice::control
