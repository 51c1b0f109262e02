#include "control/commands.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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
  EXPECT_EQ(check({.config_paths = {folder_}}), 0);
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
  EXPECT_EQ(check({.config_paths = {folder_}}), 1);
  EXPECT_TRUE(testing::internal::GetCapturedStdout().contains("a.yaml:5:3: error: "));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "sluice check: 1 error, 0 warnings\n");
}

TEST_F(Commands, TakeWarningsForErrorsIfStrict) {
  std::ofstream(folder_ + "/a.yaml") << "# nothing\n";
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(check({.config_paths = {folder_}}), 0);
  EXPECT_EQ(check({.config_paths = {folder_}, .is_strict = true}), 1);
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "warning: nothing to serve: there is no Gateway\n"
            "warning: nothing to serve: there is no Gateway\n");
  const std::string summary = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(summary.contains("sluice check: 0 errors, 1 warning; ")) << summary;
  EXPECT_TRUE(summary.contains("sluice check: 1 error, 1 of them by --strict, which takes warnings for errors; "))
      << summary;
}

TEST_F(Commands, WriteNothingButTheObjectAsJson) {
  std::ofstream(folder_ + "/a.yaml") << "# nothing\n";
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(check({.config_paths = {folder_}, .format = CheckFormat::json, .is_strict = true}), 1);
  const nlohmann::json report = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(report["valid"], false) << "as the exit code says";
  EXPECT_EQ(report["warnings"], 1);
  EXPECT_EQ(report["hash"].get<std::string>().size(), 32u);
  static_cast<void>(testing::internal::GetCapturedStderr());
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
