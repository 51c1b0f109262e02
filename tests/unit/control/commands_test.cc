#include "control/commands.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace sluice::control {
namespace {

class Commands : public testing::Test {
 protected:
  Commands() { std::filesystem::create_directories(folder_); }
  ~Commands() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = testing::TempDir() + "commands_test." + std::to_string(getpid());
};

TEST_F(Commands, WriteASecretForItsOwnerOnlyThatCheckAccepts) {
  certs::SelfSignedOptions options;
  options.hosts = {"*.local.kyma.dev", "127.0.0.1"};
  EXPECT_EQ(write_self_signed(options, "kyma-gateway-certs", "istio-system", folder_ + "/secret.yaml"), 0);
  struct stat found{};
  ASSERT_EQ(stat((folder_ + "/secret.yaml").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
  EXPECT_EQ(check({folder_}), 0);
}

TEST_F(Commands, FailWhenTheFileCannotBeWritten) {
  certs::SelfSignedOptions options;
  options.hosts = {"a.test"};
  EXPECT_EQ(write_self_signed(options, "n", "ns", folder_ + "/no/folder"), 1);
}

TEST_F(Commands, FindAnErrorAndShowItOnStandardOutput) {
  std::ofstream(folder_ + "/a.yaml")
      << "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: x}\nspec:\n  hots: []\n"
         "  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]\n";
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(check({folder_}), 1);
  EXPECT_TRUE(testing::internal::GetCapturedStdout().contains("a.yaml:5:3: error: "));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "sluice check: 1 error, 0 warnings\n");
}

TEST_F(Commands, RefuseACertificateForWhatIsNoHostAndWriteNothing) {
  const std::string file = folder_ + "/secret.yaml";
  for (const std::string host :
       {"-", "*", "*.", "a..b", "a b", "a.*.test", "https://a.test", "a.test:443", "10.0.0.1/8"}) {
    certs::SelfSignedOptions options;
    options.hosts = {"a.test", host};
    testing::internal::CaptureStderr();
    EXPECT_EQ(write_self_signed(options, "n", "ns", file), 1) << host;
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(said.contains("\"" + host + "\" is neither an IP address nor a host name: ")) << said;
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace sluice::control
