#include "config/source_file.h"

#include "base/limits.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace sluice::config {
namespace {

namespace filesystem = std::filesystem;

class SourceFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "sluice_config_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  // "name=text name=text" of what was read, then what was said, without the folder's name.
  std::string read(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(name.empty() ? folder_.string() : (folder_ / name).string());
    Diagnostics diagnostics;
    const SourceFiles files = read_files(paths, diagnostics);
    EXPECT_EQ(files.is_complete, !diagnostics.has_errors());
    std::string result;
    for (const SourceText& source : files.texts) result += without_folder(source.name) + "=" + source.text + " ";
    for (const CredentialFolder& folder : files.credentials) {
      result += folder.secret_name + ":";
      for (const SourceText& file : folder.files) result += without_folder(file.name) + "=" + file.text + " ";
    }
    for (const Diagnostic& diagnostic : diagnostics.sorted()) result += without_folder(diagnostic.to_string());
    return result;
  }

  std::string without_folder(std::string text) {
    if (const size_t at = text.find(folder_.string()); at != std::string::npos) text.erase(at, folder_.string().size());
    return text;
  }

  filesystem::path folder_;
};

TEST_F(SourceFile, ReadsFilesInTheGivenOrder) {
  write("b.yaml", "b");
  write("a.conf", "a");
  EXPECT_EQ(read({"b.yaml", "a.conf"}), "/b.yaml=b /a.conf=a ");
}

TEST_F(SourceFile, ReadsDocumentsOfAFolderInNameOrder) {
  write("b.yaml", "2");
  write("c.json", "3");
  write("a.yml", "1");
  write("notes.txt", "no");
  write(".hidden.yaml", "no");
  filesystem::create_directory(folder_ / "deeper");
  EXPECT_EQ(read({""}), "/a.yml=1 /b.yaml=2 /c.json=3 ");
}

// A kubelet mounts a ConfigMap as a hidden folder with the files, a link ..data to it, and a link to each
// file through ..data. Each file must be read once.
TEST_F(SourceFile, ReadsAMountedConfigMapOnce) {
  filesystem::create_directory(folder_ / "..2026_01_01");
  write("..2026_01_01/gateway.yaml", "text");
  filesystem::create_symlink("..2026_01_01", folder_ / "..data");
  filesystem::create_symlink("..data/gateway.yaml", folder_ / "gateway.yaml");
  EXPECT_EQ(read({""}), "/gateway.yaml=text ");
}

// As a kubelet mounts a Secret. What else is in it is no key that sluice reads.
TEST_F(SourceFile, ReadsAMountedSecretOnce) {
  filesystem::create_directories(folder_ / "certs" / "..2026_01_01");
  for (const std::string name : {"tls.crt", "tls.key", "ca.crl", "password"}) {
    write("certs/..2026_01_01/" + name, name);
    filesystem::create_symlink("..data/" + name, folder_ / "certs" / name);
  }
  filesystem::create_symlink("..2026_01_01", folder_ / "certs" / "..data");
  EXPECT_EQ(read({"certs"}), "certs:/certs/ca.crl=ca.crl /certs/tls.crt=tls.crt /certs/tls.key=tls.key ");
  EXPECT_EQ(read({"certs/"}), "certs:/certs/ca.crl=ca.crl /certs/tls.crt=tls.crt /certs/tls.key=tls.key ");
  EXPECT_EQ(read({"certs/."}), "certs:/certs/./ca.crl=ca.crl /certs/./tls.crt=tls.crt /certs/./tls.key=tls.key ");
}

TEST_F(SourceFile, ReadsDocumentsBesideCredentials) {
  filesystem::create_directory(folder_ / "certs");
  write("certs/a.yaml", "a");
  write("certs/cacert", "c");
  EXPECT_EQ(read({"certs"}), "/certs/a.yaml=a certs:/certs/cacert=c ");
}

TEST_F(SourceFile, TakesFoldersForFoldersWhateverTheyAreCalled) {
  write("a.yaml", "a");
  filesystem::create_directory(folder_ / "cert");
  filesystem::create_directory(folder_ / "key");
  EXPECT_EQ(read({""}), "/a.yaml=a ");
}

TEST_F(SourceFile, RefusesWhatIsNoFileInAMountedSecret) {
  filesystem::create_directory(folder_ / "certs");
  ASSERT_EQ(mkfifo((folder_ / "certs" / "tls.crt").c_str(), 0600), 0);
  EXPECT_EQ(read({"certs"}), "certs:/certs/tls.crt: error: cannot read it: it is not a regular file");
  filesystem::remove(folder_ / "certs" / "tls.crt");
  filesystem::create_directory(folder_ / "certs" / "tls.crt");
  EXPECT_EQ(read({"certs"}), "certs:/certs/tls.crt: error: cannot read it: it is not a regular file");
  filesystem::remove(folder_ / "certs" / "tls.crt");
  filesystem::create_symlink("/dev/zero", folder_ / "certs" / "tls.crt");
  EXPECT_EQ(read({"certs"}), "certs:/certs/tls.crt: error: cannot read it: it is not a regular file");
  filesystem::remove(folder_ / "certs" / "tls.crt");
  filesystem::create_symlink("tls.crt", folder_ / "certs" / "tls.crt");
  EXPECT_EQ(read({"certs"}), "certs:/certs/tls.crt: error: cannot read it: Too many levels of symbolic links (ELOOP)");
  filesystem::remove(folder_ / "certs" / "tls.crt");
  write("certs/tls.crt", "");
  filesystem::resize_file(folder_ / "certs" / "tls.crt", limits::credential_file_bytes_max + 1);
  EXPECT_EQ(read({"certs"}),
            "certs:/certs/tls.crt: error: cannot read it: it has 1048577 bytes, at most 1048576 are read");
}

TEST_F(SourceFile, RefusesASocketInAMountedSecret) {
  filesystem::create_directory(folder_ / "certs");
  ASSERT_EQ(mknod((folder_ / "certs" / "tls.key").c_str(), S_IFSOCK | 0600, 0), 0);
  EXPECT_TRUE(read({"certs"}).starts_with("certs:/certs/tls.key: error: cannot read it: "));
}

// A certificate with the key of the next state would be refused as a pair that does not fit.
TEST_F(SourceFile, ReadsOneStateOfAFolderThatIsSwappedMeanwhile) {
  const filesystem::path certs = folder_ / "certs";
  const auto swap = [&](int number) {
    const std::string state = ".." + std::to_string(number);
    filesystem::create_directories(certs / state);
    for (const std::string name : {"tls.crt", "tls.key"}) write("certs/" + state + "/" + name, state);
    filesystem::create_symlink(state, certs / "..data_tmp");
    filesystem::rename(certs / "..data_tmp", certs / "..data");
    filesystem::remove_all(certs / (".." + std::to_string(number - 1)));
  };
  swap(0);
  for (const std::string name : {"tls.crt", "tls.key"}) filesystem::create_symlink("..data/" + name, certs / name);
  std::jthread kubelet([&](const std::stop_token& stop) {
    for (int i = 1; !stop.stop_requested(); ++i) {
      swap(i);
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  for (int i = 0; i < 300; ++i) {
    Diagnostics diagnostics;
    const SourceFiles files = read_files({certs.string()}, diagnostics);
    if (diagnostics.has_errors()) continue;  // swapped all the time
    ASSERT_EQ(files.credentials.size(), 1u);
    ASSERT_EQ(files.credentials[0].files.size(), 2u);
    EXPECT_EQ(files.credentials[0].files[0].text, files.credentials[0].files[1].text);
  }
}

TEST_F(SourceFile, SaysWhenAFolderHasNoDocuments) {
  EXPECT_EQ(read({""}), ": warning: no *.yaml, *.yml or *.json file and no tls.crt or ca.crt is in this directory");
}

TEST_F(SourceFile, SaysWhenAPathIsNotThere) {
  EXPECT_EQ(read({"a.yaml"}), "/a.yaml: error: cannot read it: No such file or directory (ENOENT)");
  filesystem::create_symlink("nowhere", folder_ / "b.yaml");
  EXPECT_EQ(read({""}), "/b.yaml: error: cannot read it: No such file or directory (ENOENT)");
}

TEST_F(SourceFile, RefusesAFifoWithoutWaitingForAWriter) {
  ASSERT_EQ(mkfifo((folder_ / "a.yaml").c_str(), 0600), 0);
  EXPECT_EQ(read({""}), "/a.yaml: error: cannot read it: it is not a regular file");
}

TEST_F(SourceFile, RefusesDevices) {
  Diagnostics diagnostics;
  EXPECT_TRUE(read_files({"/dev/zero"}, diagnostics).texts.empty());
  ASSERT_EQ(diagnostics.error_count(), 1u);
  EXPECT_EQ(diagnostics.sorted()[0].to_string(), "/dev/zero: error: cannot read it: it is not a regular file");
}

TEST_F(SourceFile, RefusesALargeFileBeforeReadingIt) {
  write("a.yaml", "");
  filesystem::resize_file(folder_ / "a.yaml", limits::config_file_bytes_max + 1);
  EXPECT_EQ(read({"a.yaml"}), "/a.yaml: error: cannot read it: it has 16777217 bytes, at most 16777216 are read");
}

TEST_F(SourceFile, RefusesLargeFilesTogether) {
  write("a.yaml", "");
  filesystem::resize_file(folder_ / "a.yaml", limits::config_file_bytes_max);
  Diagnostics diagnostics;
  const size_t fit = limits::config_total_bytes_max / limits::config_file_bytes_max;
  const SourceFiles files = read_files(std::vector<std::string>(fit + 1, (folder_ / "a.yaml").string()), diagnostics);
  EXPECT_EQ(files.texts.size(), fit);
  EXPECT_EQ(diagnostics.error_count(), 1u);
}

TEST_F(SourceFile, ReadsFilesWhoseSizeIsNotKnownBefore) {
  Diagnostics diagnostics;
  const SourceFiles files = read_files({"/proc/self/status"}, diagnostics);
  ASSERT_EQ(files.texts.size(), 1u);
  EXPECT_TRUE(files.texts[0].text.starts_with("Name:"));
  EXPECT_FALSE(files.texts[0].text.ends_with('\0'));
}

TEST_F(SourceFile, ReadsEmptyFiles) {
  write("a.yaml", "");
  EXPECT_EQ(read({"a.yaml"}), "/a.yaml= ");
}

}  // namespace
}  // namespace sluice::config
