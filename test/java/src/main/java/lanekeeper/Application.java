// An application that knows nothing of lanes: it answers with its name, and calls http://b/ as Spring Cloud has it.
package lanekeeper;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.context.annotation.Bean;
import org.springframework.http.HttpEntity;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClientException;
import org.springframework.web.client.RestTemplate;

@SpringBootApplication
@RestController
public class Application {
  private final String name;
  private final DiscoveryClient discovery;
  private RestTemplate template;

  Application(@Value("${member}") String name, DiscoveryClient discovery) {
    this.name = name;
    this.discovery = discovery;
  }

  public static void main(String[] arguments) {
    SpringApplication.run(Application.class, arguments);
  }

  @Bean
  @LoadBalanced
  RestTemplate template() {
    template = new RestTemplate();
    return template;
  }

  @GetMapping("/")
  String name() {
    return name;
  }

  /** How many instances of b the registry has. */
  @GetMapping("/instances")
  int instances() {
    List<ServiceInstance> found = discovery.getInstances("b");
    return found.size();
  }

  /** Calls b so often; how many answers each instance gave. */
  @GetMapping("/calls")
  Map<String, Integer> calls(@RequestParam int count, @RequestParam(required = false) String label) {
    HttpHeaders headers = new HttpHeaders();
    if (label != null) headers.set("x-opensergo-traffic", label);
    Map<String, Integer> answers = new TreeMap<>();
    for (int call = 0; call < count; call++) answers.merge(answer(new HttpEntity<>(headers)), 1, Integer::sum);
    return answers;
  }

  private String answer(HttpEntity<Void> request) {
    try {
      return template.exchange("http://b/", HttpMethod.GET, request, String.class).getBody();
    } catch (RestClientException error) {
      return String.valueOf(error.getMessage());
    }
  }
}
