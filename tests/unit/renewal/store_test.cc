#include "renewal/store.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

namespace sluice::renewal {
namespace {

class StoreTest : public testing::Test {
 protected:
  ~StoreTest() override { std::filesystem::remove_all(folder_); }

  Store open() const {
    Result<Store> store = Store::open(folder_);
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }

  static unsigned mode_of(const std::string& path) {
    struct stat found{};
    EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 07777;
  }

  const std::string folder_ = testing::TempDir() + "renewal_store_test." + std::to_string(getpid());
  const config::ObjectKey certificate_{"istio-system", "kyma.tls-cert"};
};

Record record_with(std::string message) {
  Record record;
  record.message = std::move(message);
  return record;
}

TEST_F(StoreTest, IsForItsOwnerAlone) {
  const mode_t before = umask(0);
  Store store = open();
  ASSERT_TRUE(store.take_lock());
  ASSERT_TRUE(store.write_record(certificate_, record_with("a")));
  ASSERT_TRUE(store.write_secret(certificate_, "kind: Secret\n"));
  ASSERT_TRUE(store.write_account("id", {}));
  umask(before);
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    EXPECT_EQ(mode_of(entry.path()), entry.is_directory() ? 0700U : 0600U) << entry.path();
    files += entry.is_directory() ? 0 : 1;
  }
  EXPECT_EQ(files, 4u) << "the lock too";
  EXPECT_EQ(mode_of(folder_), 0700u);
}

// "/" or "." by a slip: nothing of it is changed.
TEST_F(StoreTest, RefusesADirectoryThatOthersMayEnter) {
  std::filesystem::create_directories(folder_);
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  const Result<Store> store = Store::open(folder_);
  ASSERT_FALSE(store.has_value());
  EXPECT_TRUE(store.error().message.contains("others may enter it")) << store.error().message;
  EXPECT_EQ(mode_of(folder_), 0755u);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(StoreTest, GivesBackWhatWasWritten) {
  {
    Store store = open();
    ASSERT_TRUE(store.take_lock());
    EXPECT_EQ(*store.read_record(certificate_), std::nullopt);
    EXPECT_EQ(*store.read_secret(certificate_), std::nullopt);
    EXPECT_FALSE(store.read_account("id")->has_value());
    ASSERT_TRUE(store.write_record(certificate_, record_with("first")));
    ASSERT_TRUE(store.write_record(certificate_, record_with("second")));
    ASSERT_TRUE(store.write_secret(certificate_, "kind: Secret\n"));
    StoredAccount account;
    account.server = "https://ca.example/dir";
    account.url = "https://ca.example/account/1";
    account.key_pem = "a key";
    ASSERT_TRUE(store.write_account("id", account));
  }
  const Store store = open();
  EXPECT_EQ(*store.read_record(certificate_), record_with("second"));
  EXPECT_EQ(*store.read_secret(certificate_), "kind: Secret\n");
  const auto account = *store.read_account("id");
  ASSERT_TRUE(account);
  EXPECT_EQ(account->url, "https://ca.example/account/1");
  EXPECT_EQ(account->key_pem, "a key");
  EXPECT_FALSE(store.read_account("another id")->has_value());
}

TEST_F(StoreTest, ListsAndRemoves) {
  Store store = open();
  ASSERT_TRUE(store.take_lock());
  const config::ObjectKey first{"a", "x.y"}, second{"b", "x"};
  ASSERT_TRUE(store.write_record(second, {}));
  ASSERT_TRUE(store.write_record(first, {}));
  std::ofstream(folder_ + "/certificates/without-dots") << "x";
  std::ofstream(folder_ + "/certificates/.json") << "x";
  std::ofstream(folder_ + "/certificates/a.b.json.Xy3f1z") << "of a process that was killed";
  EXPECT_EQ(store.certificates(), (std::vector<config::ObjectKey>{first, second}));
  ASSERT_TRUE(store.remove_record(first));
  ASSERT_TRUE(store.remove_record(first)) << "again";
  EXPECT_EQ(store.certificates(), std::vector<config::ObjectKey>{second});
}

TEST_F(StoreTest, WhoTakesTheLockRemovesWhatAKilledProcessHasLeft) {
  Store store = open();
  std::ofstream(folder_ + "/certificates/a.b.json.Xy3f1z") << "half a record";
  std::ofstream(folder_ + "/secrets/a.b.yaml.Xy3f1z") << "half a key";
  std::ofstream(folder_ + "/secrets/notes.txt") << "a person's";
  const config::ObjectKey dotted{"a", "www.json.org"}, longer{"a", "x.yaml.abcdef"};
  ASSERT_TRUE(store.write_imported_secret(dotted, "kind: Secret\n"));
  ASSERT_TRUE(store.write_imported_secret(longer, "kind: Secret\n"));
  ASSERT_TRUE(store.write_imported_secret(certificate_, "kind: Secret\n"));
  ASSERT_TRUE(store.take_lock());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/certificates/a.b.json.Xy3f1z"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/secrets/a.b.yaml.Xy3f1z"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/secrets/notes.txt"));
  for (const auto& key : {dotted, longer}) EXPECT_EQ(*store.read_secret(key), "kind: Secret\n") << key.text();
  EXPECT_EQ(*store.read_secret(certificate_), "kind: Secret\n");
}

TEST_F(StoreTest, ShowsThatSecretsHaveChanged) {
  Store store = open();
  const WallTime before = store.secrets_changed();
  usleep(20'000);
  ASSERT_TRUE(store.write_imported_secret(certificate_, "kind: Secret\n"));
  EXPECT_GT(store.secrets_changed(), before);
  EXPECT_EQ(Store::look_at(folder_ + "/no/such").certificates(), std::vector<config::ObjectKey>{});
}

TEST_F(StoreTest, ADamagedRecordIsNone) {
  Store store = open();
  ASSERT_TRUE(store.take_lock());
  std::ofstream(folder_ + "/certificates/istio-system.kyma.tls-cert.json") << "{\"state\": \"Ready\"";
  EXPECT_EQ(*store.read_record(certificate_), std::nullopt);
  std::filesystem::remove(folder_ + "/certificates/istio-system.kyma.tls-cert.json");
  ASSERT_EQ(mkfifo((folder_ + "/certificates/istio-system.kyma.tls-cert.json").c_str(), 0600), 0);
  EXPECT_FALSE(store.read_record(certificate_).has_value())
      << "nobody knows, and nobody waits for who writes into a FIFO";
}

// Two processes on one directory: one of them writes, until it ends in whatever way.
TEST_F(StoreTest, IsOneProcessToWrite) {
  Store mine = open();
  ASSERT_TRUE(mine.take_lock());
  EXPECT_TRUE(mine.take_lock()) << "it has it";
  Store other = open();
  EXPECT_FALSE(other.take_lock());
  const Store moved = std::move(mine);
  EXPECT_FALSE(other.take_lock());
  {
    const Store ends = std::move(const_cast<Store&>(moved));
  }
  EXPECT_TRUE(other.take_lock());
}

TEST_F(StoreTest, IsUsableAfterAKill) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    Result<Store> store = Store::open(folder_);
    if (!store || !store->take_lock()) _exit(1);
    static_cast<void>(!write(ready[1], "x", 1));
    while (true) static_cast<void>(store->write_record(certificate_, record_with(std::string(10'000, 'x'))));
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  usleep(50'000);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  close(ready[0]);
  close(ready[1]);
  Store store = open();
  EXPECT_TRUE(store.take_lock());
  const auto record = *store.read_record(certificate_);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->message.size(), 10'000u);
}

TEST_F(StoreTest, SaysWhyADirectoryCannotBeUsed) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/file") << "x";
  const auto in_the_way = Store::open(folder_ + "/file");
  ASSERT_FALSE(in_the_way.has_value());
  EXPECT_TRUE(in_the_way.error().message.contains("it is no directory")) << in_the_way.error().message;
  const auto missing = Store::open(folder_ + "/no/such");
  ASSERT_FALSE(missing.has_value());
  EXPECT_TRUE(missing.error().message.contains("--state-dir")) << missing.error().message;
}

}  // namespace
}  // namespace sluice::renewal
