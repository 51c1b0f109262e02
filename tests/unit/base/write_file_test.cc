#include "base/write_file.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sluice {
namespace {

class WriteFile : public testing::Test {
 protected:
  WriteFile() { std::filesystem::create_directories(folder_); }
  ~WriteFile() override { std::filesystem::remove_all(folder_); }

  static std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  const std::string folder_ = testing::TempDir() + "write_file_test." + std::to_string(getpid());
};

TEST_F(WriteFile, HasExactlyTheModeWhateverTheMask) {
  for (const mode_t mask : {0000U, 0777U}) {
    const mode_t before = umask(mask);
    const Status status = write_file_atomically(folder_ + "/secret.yaml", "key", 0600);
    umask(before);
    ASSERT_TRUE(status.has_value()) << status.error().message;
    struct stat found{};
    ASSERT_EQ(stat((folder_ + "/secret.yaml").c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0600U);
  }
}

TEST_F(WriteFile, ReplacesAFileAndLeavesNoOther) {
  ASSERT_TRUE(write_file_atomically(folder_ + "/a", "a longer first content", 0644));
  const std::string large(3'000'000, 'x');
  ASSERT_TRUE(write_file_atomically(folder_ + "/a", large, 0600));
  EXPECT_EQ(content_of(folder_ + "/a"), large);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(WriteFile, SaysWhyItCannotAndLeavesNothing) {
  const Status missing = write_file_atomically(folder_ + "/no/such/folder", "x", 0600);
  ASSERT_FALSE(missing.has_value());
  EXPECT_TRUE(missing.error().message.contains("/no/such/folder")) << missing.error().message;
  EXPECT_TRUE(missing.error().message.contains("ENOENT")) << missing.error().message;

  std::filesystem::create_directory(folder_ + "/taken");
  EXPECT_FALSE(write_file_atomically(folder_ + "/taken", "x", 0600));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "the temporary file is gone";
}

}  // namespace
}  // namespace sluice
